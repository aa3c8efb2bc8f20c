"""Infinite slopes, and nans that come of them."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from doctor.catalogue import sick


def sample(seed, *shape):
    return jnp.asarray(np.random.default_rng(500 + seed).uniform(0.1, 1.0, shape), jnp.float32)


@sick(parameters={"axes": "unreached", "stretch": "reached"}, why_not="non_finite: the slope of arccos at one")
def angle_between_equal_axes():
    """Angles between unit vectors, each with itself included and left out afterwards."""
    params = {"axes": jnp.eye(3), "stretch": jnp.float32(1.1)}

    def loss(params, wanted):
        cosines = params["axes"] @ params["axes"].T
        angles = jnp.arccos(cosines)  # dies: non_finite arccos
        off = ~jnp.eye(3, dtype=bool)
        return jnp.mean((params["stretch"] * jnp.where(off, angles, 0.0) - wanted) ** 2)

    return loss, params, (jnp.float32(1.2),)


@sick(parameters={"shift": "partly_reached"}, why_not="non_finite: the angle of the origin")
def phase_of_silence():
    """Magnitude and phase of complex amplitudes; one amplitude is zero."""
    params = {"shift": jnp.array([[0.3, 0.2], [0.0, 0.0], [-0.4, 0.1]])}

    def loss(params, wanted):
        real, imaginary = params["shift"].T
        phase = jnp.arctan2(imaginary, real)  # dies: non_finite arctan2|atan2
        return jnp.mean((phase - wanted) ** 2)

    return loss, params, (jnp.array([0.1, 0.2, 0.3]),)


@sick(parameters={"exposure": "unreached", "black": "reached"}, why_not="non_finite: a root of zero")
def gamma_of_black_pixels():
    """Gamma correction of an image that has black pixels."""
    params = {"exposure": jnp.float32(1.2), "black": jnp.float32(0.05)}
    image = sample(0, 5, 5).at[2, 2:4].set(0.0)

    def loss(params, image):
        seen = jnp.power(params["exposure"] * image, 0.45)  # dies: non_finite power
        return jnp.mean((seen + params["black"] - 0.6) ** 2)

    return loss, params, (image,)


@sick(parameters={"spread": "unreached", "bias": "reached"}, why_not="non_finite: equal eigenvalues")
def principal_axes_of_a_ball():
    """Eigenvectors of a covariance that starts as the identity."""
    params = {"spread": jnp.eye(3), "bias": jnp.zeros(3)}
    x = sample(0, 6, 3)

    def loss(params, x):
        covariance = params["spread"] @ params["spread"].T
        _, vectors = jnp.linalg.eigh(covariance)  # dies: non_finite eigh
        return jnp.mean((x @ vectors + params["bias"] - 0.3) ** 2)

    return loss, params, (x,)


@sick(parameters={"w": "unreached"}, why_not="non_finite: the exponential overflows")
def softmax_by_hand():
    """The author's own softmax, without subtracting the maximum: inf / inf."""
    params = {"w": 400 * sample(0, 4, 3)}
    x, labels = sample(1, 10, 4), jnp.arange(10) % 3

    def loss(params, x, labels):
        e = jnp.exp(x @ params["w"])
        p = e / jnp.sum(e, axis=1, keepdims=True)  # dies: non_finite divide
        return -jnp.mean(jnp.log(p[jnp.arange(10), labels] + 1e-9))

    return loss, params, (x, labels)


@sick(parameters={"rates": "partly_reached"}, why_not="non_finite: the logarithm of zero")
def information_of_counts():
    """A divergence by xlogy, exact in value where a rate is zero, not in slope."""
    params = {"rates": jnp.array([0.5, 0.0, 0.25, 0.25])}

    def loss(params, reference):
        rates = params["rates"]
        own = jax.scipy.special.xlogy(rates, rates)  # dies: non_finite xlogy|log
        return jnp.sum(own - jax.scipy.special.xlogy(rates, reference))

    return loss, params, (jnp.full(4, 0.25),)


@sick(parameters={"a": "unreached", "b": "reached"}, why_not="non_finite: 0 / 0 behind a where")
def ratio_of_empty_classes():
    """A class without any example: its precision is 0 / 0 and is replaced by one."""
    params = {"a": sample(0, 5), "b": sample(1, 3)}
    members = jnp.asarray(np.eye(4)[[0, 1, 1, 3, 0]][:, :3], jnp.float32)

    def loss(params, members):
        weight = members * jax.nn.softplus(params["a"])[:, None]
        total = jnp.sum(weight, axis=0)
        precision = jnp.sum(weight * weight, axis=0) / total  # dies: non_finite divide
        precision = jnp.where(total > 0, precision, 1.0)
        return jnp.mean((precision - params["b"]) ** 2)

    return loss, params, (members,)


REPAIRS = {
    "angle_between_equal_axes": {"jnp.arccos(cosines)": "jnp.arccos(0.9 * cosines)"},
    "phase_of_silence": {"jnp.arctan2(imaginary, real)": "jnp.arctan2(imaginary + 0.01, real + 0.02)"},
    "gamma_of_black_pixels": {'params["exposure"] * image, 0.45': "params['exposure'] * image + 1e-3, 0.45"},
    "information_of_counts": {"xlogy(rates, rates)": "xlogy(rates, rates + 1e-3)"},
    "ratio_of_empty_classes": {"axis=0) / total": "axis=0) / (total + 1e-3)"},
    "softmax_by_hand": {'jnp.exp(x @ params["w"])': "jnp.exp(x @ params['w'] / 400)"},
    "principal_axes_of_a_ball": {'params["spread"].T\n': "params['spread'].T + jnp.diag(jnp.arange(3.0))\n"},
}
