"""Healthy: hard operators that somebody has given a derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

import straightthrough as ste
from doctor.catalogue import healthy
from doctor.programs.jax.library import apply, dense, draw


@healthy()
def three_spellings_by_hand():
    """The straight-through line in three spellings."""
    params = {"a": dense(0, 4, 6), "b": dense(2, 6, 6), "c": dense(4, 6, 6), "out": dense(6, 6, 1)}
    x = draw(8, 20, 4)
    stop = jax.lax.stop_gradient

    def loss(params, x):
        h = jnp.tanh(apply(params["a"], x))
        h = h + stop(jnp.sign(h) - h)
        g = jax.nn.sigmoid(apply(params["b"], h))
        g = stop(jnp.round(g)) - stop(g) + g
        z = apply(params["c"], g)
        zero = z - stop(z)
        z = zero + stop(jnp.floor(z))
        return jnp.mean((apply(params["out"], z) - 1.0) ** 2)

    return loss, params, (x,)


@jax.custom_jvp
def spike(v):
    return (v > 0).astype(v.dtype)


@spike.defjvp
def _spike_slope(primals, tangents):
    (v,), (t,) = primals, tangents
    return spike(v), t / (1 + 10 * jnp.abs(v)) ** 2


@healthy()
def spiking_with_surrogate():
    """Leaky integrate-and-fire in a scan, with a surrogate derivative."""
    params = {"w": draw(0, 3, 10), "leak": jnp.float32(0.9), "out": draw(1, 10, 2)}
    x = draw(2, 15, 5, 3)

    def loss(params, x):
        def step(v, now):
            v = params["leak"] * v + now @ params["w"]
            s = spike(v - 1.0)
            return v - jax.lax.stop_gradient(s), s  # stops: stop_gradient

        _, spikes = jax.lax.scan(step, jnp.zeros((5, 10)), x)
        return jnp.mean((spikes.mean(0) @ params["out"] - 0.4) ** 2)

    return loss, params, (x,)


@healthy()
def our_operations():
    """straightthrough's own operations on the path."""
    params = {"a": dense(0, 5, 6), "b": dense(2, 6, 6), "c": dense(4, 6, 4), "out": draw(6, 4, 2)}
    x = draw(7, 20, 5)

    def loss(params, x):
        h = ste.sign(apply(params["a"], x))
        h = ste.round(apply(params["b"], h))
        choice = ste.one_hot_argmax(apply(params["c"], h))
        return jnp.mean((choice @ params["out"] - 0.5) ** 2)

    return loss, params, (x,)


class Quantised(nnx.Module):
    def __init__(self, rngs):
        self.encoder = nnx.Linear(6, 3, rngs=rngs)
        self.decoder = nnx.Linear(3, 6, rngs=rngs)
        self.codebook = nnx.Param(rngs.normal((16, 3)))


@healthy()
def vector_quantised_autoencoder():
    """The usual one: copied gradient, codebook and commitment losses; most codes are not chosen."""
    model = Quantised(nnx.Rngs(0))
    x = draw(0, 12, 6)
    stop = jax.lax.stop_gradient

    def loss(model, x):
        z = model.encoder(x)
        codes = model.codebook[...]
        index = jnp.argmin(jnp.sum((z[:, None] - codes) ** 2, -1), axis=-1)
        q = codes[index]
        extra = jnp.mean((q - stop(z)) ** 2) + 0.25 * jnp.mean((stop(q) - z) ** 2)
        y = model.decoder(z + stop(q - z))
        return jnp.mean((y - x) ** 2) + extra

    return loss, model, (x,)


@healthy()
def straight_through_gumbel():
    """Hard sample forward, soft derivative."""
    params = {"encoder": dense(0, 5, 4), "decoder": dense(2, 4, 5)}
    x = draw(4, 30, 5)

    def loss(params, x, key):
        logits = apply(params["encoder"], x)
        soft = jax.nn.softmax((logits + jax.random.gumbel(key, logits.shape)) / 0.7)
        hard = jax.nn.one_hot(jnp.argmax(soft, -1), 4)
        code = hard + soft - jax.lax.stop_gradient(soft)
        return jnp.mean((apply(params["decoder"], code) - x) ** 2)

    return loss, params, (x, jax.random.key(0))
