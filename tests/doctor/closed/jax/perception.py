"""Images, boxes, sound and words."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from doctor.catalogue import sick


def uniform(seed, *shape):
    return jnp.asarray(np.random.default_rng(300 + seed).random(shape), jnp.float32)


@sick(parameters={"corners": "unreached", "confidence": "reached"}, fix={"greater": "sigmoid"})
def suppressed_boxes():
    """Non-maximum suppression on intervals: a candidate that overlaps a kept better one is dropped."""
    params = {"corners": uniform(0, 6, 2), "confidence": uniform(1, 6)}

    def loss(params, target):
        low = params["corners"][:, 0]
        high = low + 0.2 + params["corners"][:, 1]
        shared = jnp.minimum(high[:, None], high) - jnp.maximum(low[:, None], low)
        joined = jnp.maximum(high[:, None], high) - jnp.minimum(low[:, None], low)
        overlaps = shared / joined > 0.5  # dies: cut greater

        def visit(kept, i):
            free = ~jnp.any(overlaps[i] & kept & (jnp.arange(6) < i))
            return kept.at[i].set(free), None

        kept, _ = jax.lax.scan(visit, jnp.zeros(6, bool), jnp.arange(6))
        return (jnp.sum(kept * jax.nn.sigmoid(params["confidence"])) - target) ** 2

    return loss, params, (jnp.float32(1.0),)


@sick(
    parameters={"flow": "unreached", "gain": "reached"},
    why_not="addresses: the rounded coordinates are where the image is read",
)
def nearest_pixel_warp():
    """An image is warped by a displacement field to the nearest pixel."""
    params = {"flow": 2 * uniform(0, 5, 5, 2), "gain": jnp.ones((5, 5))}
    image = uniform(1, 8, 8)
    grid = jnp.stack(jnp.meshgrid(jnp.arange(5.0), jnp.arange(5.0), indexing="ij"), -1)

    def loss(params, image, grid):
        where = grid + params["flow"]
        at = jnp.rint(where).astype(jnp.int32)  # dies: flat rint|round # dies: cut cast
        return jnp.mean((params["gain"] * image[at[..., 0], at[..., 1]] - image[:5, :5]) ** 2)

    return loss, params, (image, grid)


@sick(parameters={"kernel": "unreached", "height": "reached"}, fix={"greater": "sigmoid"})
def onset_counter():
    """The peaks of a filtered envelope are counted."""
    params = {"kernel": uniform(0, 5), "height": jnp.float32(0.3)}
    sound = uniform(1, 60) - 0.5

    def loss(params, sound):
        envelope = jnp.convolve(sound, params["kernel"], mode="valid")
        rising = envelope[1:-1] > envelope[:-2]  # dies: cut greater
        falling = envelope[1:-1] > envelope[2:]  # dies: cut greater
        peaks = jnp.logical_and(rising, falling)
        return (params["height"] * jnp.count_nonzero(peaks) - 2.0) ** 2

    return loss, params, (sound,)


@sick(parameters={"shade": "unreached", "planes": "reached"}, why_not="bits: taken out of an integer's memory")
def bit_planes():
    """A picture is stored as bytes and its bits are weighed."""
    params = {"shade": uniform(0, 12), "planes": uniform(1, 8)}

    def loss(params, target):
        stored = (255 * jax.nn.sigmoid(params["shade"])).astype(jnp.uint8)  # dies: cut cast
        bits = jnp.unpackbits(stored[:, None], axis=1)
        return jnp.mean((bits @ params["planes"] - target) ** 2)

    return loss, params, (uniform(2, 12),)


class Pointer(nnx.Module):
    def __init__(self, rngs):
        self.embed = nnx.Embed(9, 4, rngs=rngs)
        self.point = nnx.Linear(4, 1, rngs=rngs)
        self.read = nnx.Linear(4, 2, rngs=rngs)


@sick(
    parameters={
        "embed.embedding": "reached",
        "point.kernel": "unreached",
        "point.bias": ("unreached", "invariant"),
        "read.kernel": "reached",
        "read.bias": "reached",
    },
    why_not="addresses: the start of a slice",
)
def span_from_a_pointer():
    """A question answerer points at a start and reads the span of three words from there."""
    model = Pointer(nnx.Rngs(2))
    words = jnp.asarray(np.random.default_rng(0).integers(0, 9, (10, 8)))

    def loss(model, words):
        def answer(sentence):
            memory = model.embed(sentence)
            start = jnp.argmax(model.point(memory)[:6, 0])  # dies: cut argmax
            span = jax.lax.dynamic_slice_in_dim(memory, start, 3)
            return model.read(span.mean(0))

        return jnp.mean((jax.vmap(answer)(words) - 1.0) ** 2)

    return loss, model, (words,)


@sick(
    parameters={"look": "unreached", "cell.in": "reached", "cell.out": "reached"},
    fix={"choice": "softmax"},
)
def glimpse_at_a_drawn_place():
    """Hard visual attention: where to look is drawn with the network's own probabilities."""
    params = {"look": uniform(0, 6) - 0.5, "cell": {"in": uniform(1, 4, 5) - 0.5, "out": uniform(2, 5) - 0.5}}
    scene = uniform(3, 6, 4)

    def loss(params, scene, key):
        p = jax.nn.softmax(params["look"])
        places = jax.random.choice(key, 6, (7,), p=p)  # dies: cut choice|searchsorted|less
        seen = scene[places]
        return jnp.mean((jnp.tanh(seen @ params["cell"]["in"]) @ params["cell"]["out"] - 0.6) ** 2)

    return loss, params, (scene, jax.random.key(3))


@sick(parameters={"rate": "unreached", "cost": "reached"}, fix={"poisson": "identity"})
def photon_counts():
    """A camera model draws the photons of each pixel."""
    params = {"rate": 3 + uniform(0, 10), "cost": jnp.float32(0.5)}

    def loss(params, key):
        photons = jax.random.poisson(key, params["rate"])  # dies: cut poisson
        return jnp.mean((params["cost"] * photons - 2.0) ** 2)

    return loss, params, (jax.random.key(1),)


@sick(
    parameters={"drift": "reached", "log_width": "unreached"},
    why_not="addresses: which particle is copied",
)
def particle_filter():
    """Particles are resampled by their weights; the width of the likelihood acts through the resampling alone."""
    params = {"drift": jnp.float32(0.3), "log_width": jnp.float32(-1.0)}
    observed = jnp.array([0.2, 0.5, 0.9, 1.0])

    def loss(params, observed, key):
        def advance(particles, now):
            y, key = now
            particles = particles + params["drift"] + 0.2 * jax.random.normal(key, particles.shape)
            score = -((particles - y) ** 2) / jnp.exp(params["log_width"])
            cumulative = jnp.cumsum(jax.nn.softmax(score))
            slots = (jnp.arange(16) + 0.5) / 16
            parents = jnp.searchsorted(cumulative, slots).clip(0, 15)  # dies: cut searchsorted|bucketize
            return particles[parents], particles.mean()

        _, path = jax.lax.scan(advance, jnp.zeros(16), (observed, jax.random.split(key, 4)))
        return jnp.mean((path - observed) ** 2)

    return loss, params, (observed, jax.random.key(0))


@sick(parameters={"logit": "unreached", "fee": "reached"}, fix={"ceil": "identity"})
def geometric_trials():
    """The number of trials until success, by inverting its distribution."""
    params = {"logit": jnp.float32(-0.4), "fee": jnp.float32(0.6)}

    def loss(params, u):
        q = jax.nn.log_sigmoid(-params["logit"])
        trials = jnp.ceil(jnp.log(u) / q)  # dies: flat ceil
        return jnp.mean((params["fee"] * trials - 1.0) ** 2)

    return loss, params, (0.05 + 0.9 * uniform(0, 20),)


REPAIRS = {
    "onset_counter": {
        "envelope[1:-1] > envelope[:-2]": "jax.nn.sigmoid(envelope[1:-1] - envelope[:-2])",
        "envelope[1:-1] > envelope[2:]": "jax.nn.sigmoid(envelope[1:-1] - envelope[2:])",
        "jnp.count_nonzero(peaks)": "jnp.sum(rising * falling)",
    },
    "span_from_a_pointer": {
        "jnp.argmax(model.point(memory)[:6, 0])": "jax.nn.softmax(model.point(memory)[:6, 0])",
        "jax.lax.dynamic_slice_in_dim(memory, start, 3)": "sum(start[i] * memory[i : i + 3] for i in range(6))",
    },
    "glimpse_at_a_drawn_place": {"scene[places]": "(p @ scene)[None]"},
    "particle_filter": {"particles[parents]": "jnp.full(16, jax.nn.softmax(score) @ particles)"},
    "geometric_trials": {"jnp.ceil(": "jnp.asarray("},
}
