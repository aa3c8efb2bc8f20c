"""A hard operator on an array that lies on two devices, against the same on one."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

import straightthrough as ste

assert jax.device_count() == 2, jax.devices()
mesh = jax.make_mesh((2,), ("batch",))
spec = PartitionSpec("batch")
x = jnp.linspace(-2, 2, 16).reshape(4, 4)


def loss(x):
    """Weighted, so that each element has its own gradient."""
    return (ste.sign(x) * jnp.arange(16.0).reshape(4, 4)).sum()


def agree(name, value, gradient):
    """Prints it, or raises."""
    np.testing.assert_array_equal(value, ste.sign(x))
    np.testing.assert_array_equal(gradient, jax.grad(loss)(x))
    print(f"{name}: agree")


spread = jax.device_put(x, NamedSharding(mesh, spec))
agree("sharded jit", jax.jit(ste.sign)(spread), jax.jit(jax.grad(loss))(spread))

weights = jnp.arange(16.0).reshape(4, 4)
mapped = jax.shard_map(ste.sign, mesh=mesh, in_specs=spec, out_specs=spec)
spread_weights = jax.device_put(weights, NamedSharding(mesh, spec))
agree("shard_map", mapped(spread), jax.jit(jax.grad(lambda x, w: (mapped(x) * w).sum()))(spread, spread_weights))
