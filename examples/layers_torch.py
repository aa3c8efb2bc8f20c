"""Training a network with binary hidden units in PyTorch: the `StraightThrough` layer where the operator stands.

Run it: ``python examples/layers_torch.py``. Its proxy has a width, which is trained with the weights.
"""

import torch

from straightthrough.torch import StraightThrough


def main(epochs: int = 200) -> dict:
    torch.manual_seed(0)
    x = torch.randn(256, 2)
    target = (x[:, :1] * x[:, 1:] > 0).float()  # same sign or not: one layer alone cannot tell
    binary = StraightThrough("sign", proxy="clipped_identity(width=1)", learn="width")
    model = torch.nn.Sequential(torch.nn.Linear(2, 16), binary, torch.nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(epochs):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()  # from here on the layer is the sign and nothing else
    accuracy = ((model(x) > 0) == (target > 0)).float().mean().item()
    print(model)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.2f}, width {binary.width.item():.2f}")
    return {"first": losses[0], "last": losses[-1], "accuracy": accuracy, "width": binary.width.item()}


if __name__ == "__main__":
    main()
