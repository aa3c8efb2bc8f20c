"""Random choices and decoding."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from doctor.catalogue import sick
from doctor.programs.jax.library import apply, dense, draw


@sick(
    parameters={"encoder.w": "unreached", "encoder.b": "unreached", "decoder.w": "reached", "decoder.b": "reached"},
    fix={"argmax": "softmax"},
)
def gumbel_argmax_autoencoder():
    """A discrete autoencoder samples by the Gumbel trick and stops at the argmax."""
    params = {"encoder": dense(0, 6, 5), "decoder": dense(2, 5, 6)}
    x = draw(4, 50, 6)

    def loss(params, x, key):
        logits = apply(params["encoder"], x)
        noise = jax.random.gumbel(key, logits.shape)
        code = jnp.argmax(logits + noise, axis=-1)  # dies: cut argmax
        return jnp.mean((apply(params["decoder"], jax.nn.one_hot(code, 5)) - x) ** 2)

    return loss, params, (x, jax.random.key(0))


@sick(
    parameters={"logits": "unreached", "w": "reached"},
    fix={"bernoulli": "identity"},
)
def learned_dropout():
    """Each feature's keep probability is a parameter; the mask is drawn from it."""
    params = {"logits": draw(0, 8), "w": draw(1, 8)}
    x = draw(2, 40, 8)

    def loss(params, x, key):
        keep = jax.nn.sigmoid(params["logits"])
        mask = jax.random.bernoulli(key, keep, x.shape)  # dies: cut bernoulli|less
        return jnp.mean((jnp.where(mask, x, 0.0) @ params["w"] - x[:, 0]) ** 2)

    return loss, params, (x, jax.random.key(1))


@sick(
    parameters={"policy.w": "unreached", "policy.b": "unreached"},
    fix={"categorical": "softmax"},
)
def reward_of_a_sampled_action():
    """Policy search without the log probability: the reward of the drawn action, differentiated."""
    params = {"policy": dense(0, 4, 3)}
    x = draw(2, 60, 4)
    rewards = draw(3, 60, 3)

    def loss(params, x, rewards, key):
        logits = apply(params["policy"], x)
        action = jax.random.categorical(key, logits)  # dies: cut categorical|argmax
        return -jnp.mean(jnp.take_along_axis(rewards, action[:, None], axis=1))

    return loss, params, (x, rewards, jax.random.key(2))


@sick(
    parameters={
        "speaker.embed": "unreached",
        "speaker.cell": "unreached",
        "speaker.out": "unreached",
        "listener": "reached",
    },
    fix={"argmax": "softmax"},
)
def greedy_speaker():
    """A speaker utters four words, each fed back to itself; a listener must reconstruct the meaning."""
    params = {
        "speaker": {"embed": draw(0, 7, 5), "cell": draw(1, 5, 5, scale=0.6), "out": draw(2, 5, 7)},
        "listener": draw(3, 28, 5, scale=0.3),
    }
    meaning = draw(4, 30, 5)

    def loss(params, meaning):
        speaker = params["speaker"]

        def utter(carry, _):
            state, word = carry
            state = jnp.tanh(state @ speaker["cell"] + speaker["embed"][word])
            word = jnp.argmax(state @ speaker["out"], axis=-1)  # dies: cut argmax
            return (state, word), word

        start = meaning, jnp.zeros(len(meaning), jnp.int32)
        _, words = jax.lax.scan(utter, start, None, length=4)
        heard = jax.nn.one_hot(words.T, 7).reshape(len(meaning), -1)
        return jnp.mean((heard @ params["listener"] - meaning) ** 2)

    return loss, params, (meaning,)


@sick(parameters={"temperature": "unreached", "table": "reached"}, fix={"less": "sigmoid"})
def inverse_transform_sampling():
    """A category is drawn by comparing a uniform number with the cumulative distribution."""
    params = {"temperature": jnp.float32(0.7), "table": draw(0, 5)}
    energies = draw(1, 40, 5)

    def loss(params, energies, key):
        cdf = jnp.cumsum(jax.nn.softmax(energies / params["temperature"]), axis=-1)
        u = jax.random.uniform(key, (len(energies), 1))
        drawn = jnp.sum(cdf < u, axis=-1)  # dies: cut less
        onehot = jax.nn.one_hot(drawn, 5)
        return jnp.mean((onehot @ params["table"] - 1.0) ** 2)

    return loss, params, (energies, jax.random.key(3))


REPAIRS = {
    "gumbel_argmax_autoencoder": {"jax.nn.one_hot(code, 5)": "jax.nn.softmax(logits + noise)"},
    "learned_dropout": {"jnp.where(mask, x, 0.0)": "(keep * x)"},
    "reward_of_a_sampled_action": {
        "jnp.take_along_axis(rewards, action[:, None], axis=1)": "jax.nn.softmax(logits) * rewards"
    },
    "greedy_speaker": {
        'jnp.argmax(state @ speaker["out"], axis=-1)': 'jax.nn.softmax(state @ speaker["out"])',
        'speaker["embed"][word]': 'word @ speaker["embed"]',
        "jnp.zeros(len(meaning), jnp.int32)": "jnp.eye(7)[jnp.zeros(len(meaning), int)]",
        "jax.nn.one_hot(words.T, 7)": "jnp.swapaxes(words, 0, 1)",
    },
    "inverse_transform_sampling": {
        "jnp.sum(cdf < u, axis=-1)": "jnp.diff(jax.nn.sigmoid(cdf - u), axis=-1, prepend=0.0)",
        "jax.nn.one_hot(drawn, 5)": "drawn",
    },
}
