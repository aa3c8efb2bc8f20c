"""The story of `ste demo`: break, fix, train, ship and report, on real data and on each framework.

`story.py` tells it, `stages.py` holds its four parts, `network.py` what is the same on every framework; `torch.py`,
`jax.py` and `tensorflow.py` hold the network in the framework's own words.
"""
