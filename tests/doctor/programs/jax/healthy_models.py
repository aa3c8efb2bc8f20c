"""Healthy: hard operators, zeros and stops that harm nobody."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import nnx

from doctor.catalogue import healthy
from doctor.programs.jax.library import apply, dense, draw


class Classifier(nnx.Module):
    def __init__(self, rngs):
        self.conv = nnx.Conv(1, 4, (3, 3), rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.dropout = nnx.Dropout(0.3, rngs=rngs)
        self.out = nnx.Linear(64, 3, rngs=rngs)


@healthy(
    parameters={
        "conv.kernel": "reached",
        "conv.bias": ("unreached", "invariant"),
        "norm.scale": "reached",
        "norm.bias": "reached",
        "out.kernel": "reached",
        "out.bias": "reached",
    }
)
def convolutional_classifier():
    """Convolution, batch norm, relu, max-pool, dropout; the accuracy is computed beside the loss."""
    model = Classifier(nnx.Rngs(0, dropout=1))
    images, labels = draw(0, 6, 8, 8, 1), jnp.arange(6) % 3
    seen = {}

    def loss(model, images, labels):
        h = nnx.max_pool(nnx.relu(model.norm(model.conv(images))), (2, 2), strides=(2, 2))
        logits = model.out(model.dropout(h.reshape(len(images), -1)))
        accuracy = jnp.mean(jnp.argmax(logits, -1) == labels)
        seen["accuracy"] = jax.lax.stop_gradient(accuracy)
        return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels])

    return loss, model, (images, labels)


@healthy(parameters={"embed": "reached", "query": "reached", "key.w": "reached", "key.b": ("unreached", "invariant")})
def attention_with_a_key_bias():
    """Integer tokens, an embedding with unused rows, a causal mask; a key bias cancels in the softmax."""
    params = {"embed": draw(0, 20, 6), "query": draw(1, 6, 6), "key": dense(2, 6, 6)}
    tokens = jnp.array([[1, 4, 7, 2, 9], [3, 3, 8, 1, 0]])

    def loss(params, tokens):
        h = params["embed"][tokens]
        q, k = h @ params["query"], apply(params["key"], h)
        logits = jnp.einsum("bqd,bkd->bqk", q, k)
        causal = jnp.tril(jnp.ones((5, 5), bool))
        weights = jax.nn.softmax(jnp.where(causal, logits, -jnp.inf), axis=-1)
        return jnp.mean((weights @ h - 0.5) ** 2)

    return loss, params, (tokens,)


@healthy()
def routed_with_live_probability():
    """A switch layer as it should be: the chosen expert's output is scaled by its probability."""
    params = {"router": draw(0, 5, 3), "experts": draw(1, 3, 5, 5)}
    x = draw(2, 30, 5)

    def loss(params, x):
        p = jax.nn.softmax(x @ params["router"])
        best = jnp.argmax(p, axis=-1)
        y = jnp.einsum("ni,nij->nj", x, params["experts"][best])
        y = y * jnp.take_along_axis(p, best[:, None], axis=1)
        return jnp.mean((y - x) ** 2)

    return loss, params, (x,)


@healthy(parameters={"online.w": "reached", "online.b": "reached", "target.w": "frozen", "target.b": "frozen"})
def q_learning_with_a_target_network():
    """The target network is passed along and stopped on purpose; the greedy action is an argmax of it."""
    params = {"online": dense(0, 4, 3), "target": dense(2, 4, 3)}
    state, action, reward = draw(4, 30, 4), jnp.arange(30) % 3, draw(5, 30)

    def loss(params, state, action, reward, following):
        target = jax.lax.stop_gradient(params["target"])  # stops: stop_gradient
        value = jnp.max(apply(target, following), axis=-1)
        chosen = apply(params["online"], state)[jnp.arange(len(state)), action]
        return jnp.mean((chosen - reward - 0.9 * value) ** 2)

    return loss, params, (state, action, reward, draw(6, 30, 4))


@healthy(
    parameters={
        "body.w": ("unreached", "zero_initialised"),
        "body.b": ("unreached", "zero_initialised"),
        "last": "reached",
    }
)
def zero_initialised_last_layer():
    """The residual branch's last layer starts at zero."""
    params = {"body": dense(0, 5, 8), "last": jnp.zeros((8, 5))}
    x = draw(2, 20, 5)

    def loss(params, x):
        branch = jax.nn.gelu(apply(params["body"], x)) @ params["last"]
        return jnp.mean((x + branch - 0.7) ** 2)

    return loss, params, (x,)


@healthy()
def safe_distance():
    """The double where: the square root never sees the zero."""
    params = {"positions": draw(0, 5, 2)}

    def loss(params, target):
        delta = params["positions"][:, None] - params["positions"][None]
        squared = jnp.sum(delta**2, -1)
        apart = squared > 0
        distance = jnp.where(apart, jnp.sqrt(jnp.where(apart, squared, 1.0)), 0.0)
        return jnp.mean((distance - target) ** 2)

    return loss, params, (jnp.abs(draw(1, 5, 5)),)


@healthy()
def tiny_but_real():
    """A deep product of small factors: gradients of some 1e-18, and real."""
    params = {"layers": [draw(i, 4, 4, scale=1e-3) for i in range(6)], "out": draw(7, 4, 1)}
    x = draw(8, 10, 4)

    def loss(params, x):
        h = x
        for w in params["layers"]:
            h = jnp.tanh(h @ w)
        return jnp.mean((h @ params["out"] - 1.0) ** 2)

    return loss, params, (x,)


@healthy()
def masked_modelling():
    """Positions to predict are an argsort of noise; weights come from a comparison of the input."""
    params = {"encode": dense(0, 6, 6), "token": draw(2, 6), "decode": dense(3, 6, 6)}
    x = draw(5, 10, 4, 6)

    def loss(params, x, key):
        order = jnp.argsort(jax.random.uniform(key, x.shape[:2]), axis=1)
        hidden = order < 2
        h = jnp.where(hidden[..., None], params["token"], x)
        y = apply(params["decode"], jax.nn.relu(apply(params["encode"], h)))
        weight = (jnp.abs(x) < 2.5) * hidden[..., None]
        return jnp.sum(weight * (y - x) ** 2) / jnp.maximum(jnp.sum(weight), 1)

    return loss, params, (x, jax.random.key(0))


@healthy()
def bfloat16_with_remat():
    """Half-precision compute of float32 parameters, rematerialised; casts between float types are no deaths."""
    params = {"blocks": [dense(0, 6, 6), dense(2, 6, 6)], "head": draw(4, 6)}
    x = draw(5, 16, 6)

    def loss(params, x):
        half = jax.tree.map(lambda a: a.astype(jnp.bfloat16), params)
        h = x.astype(jnp.bfloat16)
        for layer in half["blocks"]:
            h = jax.checkpoint(lambda p, h: jnp.clip(jax.nn.silu(apply(p, h)), -4.0, 4.0))(layer, h)
        return jnp.mean((h @ half["head"] - 1.0).astype(jnp.float32) ** 2)

    return loss, params, (x,)


@healthy(parameters={"w": "reached", "b": "reached", "old": "unused"})
def custom_training_loop_with_clipping():
    """Gradient-norm clipping and a huber loss inside an unrolled inner step; a few residuals are clipped."""
    params = {"w": draw(0, 5), "b": jnp.float32(0.0), "old": draw(1, 5)}
    x, y = draw(2, 24, 5), draw(3, 24)

    def loss(params, x, y):
        def fit(w, b):
            r = x @ w + b - y
            return jnp.mean(jnp.where(jnp.abs(r) < 1.0, 0.5 * r**2, jnp.abs(r) - 0.5))

        gw, gb = jax.grad(fit, (0, 1))(params["w"], params["b"])
        norm = jnp.sqrt(jnp.sum(gw**2) + gb**2)
        shrink = jnp.minimum(1.0, 0.8 / norm)
        return fit(params["w"] - 0.5 * shrink * gw, params["b"] - 0.5 * shrink * gb)

    return loss, params, (x, y)


@healthy()
def relu_network_with_few_clipped():
    """Ordinary sparsity of relus and of a clip, and an abs of generic numbers."""
    params = [dense(0, 5, 12), dense(2, 12, 12), dense(4, 12, 1)]
    x = draw(6, 40, 5)

    def loss(layers, x):
        h = jax.nn.relu(apply(layers[0], x))
        h = jnp.clip(apply(layers[1], h), -1.5, 1.5)
        return jnp.mean(jnp.abs(apply(layers[2], h) - x[:, :1]))

    return loss, params, (x,)
