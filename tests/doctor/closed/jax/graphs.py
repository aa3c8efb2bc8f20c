"""Graphs, clusters and rankings."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from doctor.catalogue import sick


def numbers(seed, *shape):
    return jnp.asarray(np.random.default_rng(100 + seed).uniform(-1, 1, shape), jnp.float32)


@sick(parameters={"metric": "unreached", "message": "reached"}, fix={"top_k": "softmax"})
def neighbours_in_a_learned_metric():
    """A point cloud network: the graph is built of the three nearest points in a learned space."""
    params = {"metric": numbers(0, 3, 4), "message": numbers(1, 3, 2)}
    points = numbers(2, 15, 3)

    def loss(params, points):
        z = points @ params["metric"]
        squared = jnp.sum(jnp.square(z[:, None, :] - z[None, :, :]), axis=2)
        near = jax.lax.top_k(-squared, 3)[1]  # dies: cut top_k
        messages = jnp.tanh(points[near] @ params["message"])
        return jnp.var(messages.mean(axis=1) - 0.1 * points[:, :2])

    return loss, params, (points,)


@sick(parameters={"0": "unreached", "1": "unreached", "2": "reached"}, fix={"less_equal": "sigmoid"})
def cutoff_graph():
    """Atoms within a cutoff interact; embedding and cutoff matter by the adjacency only."""
    params = [numbers(0, 4, 2), jnp.float32(0.9), numbers(1, 4, 3)]
    atoms = numbers(2, 10, 4)

    def loss(params, atoms):
        embed, cutoff, weight = params
        e = atoms @ embed
        separation = jnp.abs(e[:, None] - e[None]).sum(-1)
        adjacency = jnp.less_equal(separation, cutoff)  # dies: cut less_equal
        degree = jnp.sum(adjacency, axis=1, keepdims=True)
        return jnp.mean(jax.nn.elu(adjacency / degree @ (atoms @ weight)) ** 2)

    return loss, params, (atoms,)


@sick(
    parameters={"assign": "unreached", "embed": "reached"},
    why_not="addresses: cluster numbers say where a scatter adds",
)
def cluster_means():
    """Nodes are pooled by their hard cluster with segment sums."""
    params = {"assign": numbers(0, 5, 3), "embed": numbers(1, 5, 4)}
    nodes = numbers(2, 25, 5)

    def loss(params, nodes):
        cluster = (nodes @ params["assign"]).argmin(axis=1)  # dies: cut argmin
        h = jnp.sinh(nodes @ params["embed"])
        total = jax.ops.segment_sum(h, cluster, num_segments=3)
        count = jax.ops.segment_sum(jnp.ones(len(nodes)), cluster, num_segments=3)
        return jnp.mean((total / jnp.maximum(count, 1.0)[:, None] - 0.5) ** 2)

    return loss, params, (nodes,)


@sick(
    parameters={"w": "unreached", "v": "unreached"},
    why_not="composite: a rank is two argsorts, which need one proxy together",
)
def discounted_gain():
    """A ranking metric is optimised as it stands: ranks by two argsorts."""
    params = {"w": numbers(0, 6, 5), "v": numbers(1, 5)}
    documents, relevance = numbers(2, 4, 9, 6), jnp.asarray(np.arange(36).reshape(4, 9) % 4, jnp.float32)

    def loss(params, documents, relevance):
        scores = jnp.cos(documents @ params["w"]) @ params["v"]
        order = jnp.argsort(scores, axis=-1, descending=True)  # dies: cut argsort|sort
        ranks = jnp.argsort(order, axis=-1)
        return -jnp.sum((2.0**relevance - 1.0) / jnp.log2(2.0 + ranks))

    return loss, params, (documents, relevance)


@sick(parameters={"left": "unreached", "right": "unreached"}, fix={"sign": "clipped_identity"})
def rank_correlation():
    """Kendall's tau between two learned orders."""
    params = {"left": numbers(0, 4), "right": numbers(1, 4)}
    x = numbers(2, 12, 4)

    def loss(params, x):
        a, b = x @ params["left"], x @ params["right"]
        da = jnp.sign(a[:, None] - a)  # dies: flat sign
        db = jnp.sign(b[:, None] - b)  # dies: flat sign
        pairs = len(x) * (len(x) - 1)
        return 1.0 - jnp.sum(da * db) / pairs

    return loss, params, (x,)


@sick(parameters={"scorer": "unreached", "payload": "reached"}, fix={"greater_equal": "sigmoid"})
def better_half():
    """What scores at least the median takes part."""
    params = {"scorer": numbers(0, 4), "payload": numbers(1, 4, 2)}
    x = numbers(2, 20, 4)

    def loss(params, x):
        s = x @ params["scorer"]
        half = s >= jnp.quantile(s, 0.5)  # dies: cut greater_equal
        chosen = jnp.einsum("n,nd->d", half.astype(jnp.float32), x @ params["payload"])
        return jnp.sum((chosen - 2.0) ** 2)

    return loss, params, (x,)


REPAIRS = {
    "neighbours_in_a_learned_metric": {
        "jax.lax.top_k(-squared, 3)[1]": "3 * jax.nn.softmax(-squared)",
        "points[near] @ ": "(near @ points)[:, None] @ ",
    },
    "cutoff_graph": {"jnp.less_equal(separation, cutoff)": "jax.nn.sigmoid(cutoff - separation)"},
    "rank_correlation": {"jnp.sign(": "jnp.tanh("},
    "better_half": {"s >= jnp.quantile(s, 0.5)": "jax.nn.sigmoid(s - jnp.quantile(s, 0.5))"},
    "discounted_gain": {
        "ranks = jnp.argsort(order, axis=-1)": "ranks = jax.nn.sigmoid(scores[:, None] - scores[..., None]).sum(-1)"
    },
    "cluster_means": {
        '(nodes @ params["assign"]).argmin(axis=1)': "jax.nn.softmax(-nodes @ params['assign'])",
        "jax.ops.segment_sum(h, cluster, num_segments=3)": "cluster.T @ h",
        "jax.ops.segment_sum(jnp.ones(len(nodes)), cluster, num_segments=3)": "cluster.sum(0)",
    },
}
