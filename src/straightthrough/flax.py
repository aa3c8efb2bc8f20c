"""A hard operator as a Flax NNX module."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

from straightthrough._errors import ArgumentError, short, wrong
from straightthrough._layer import Arguments

__all__ = ["ProxyState", "StraightThrough"]


class ProxyState(nnx.Variable[jax.Array]):
    """A proxy parameter that is annealed, not learned: give it a new value with ``layer.width[...] = 0.5``."""


class StraightThrough(nnx.Module):
    """A hard operator with the gradient of a proxy, as an NNX module.

    training: y = operator(x), ∂y/∂x = the proxy's slope;   eval: y = operator(x), nothing else.

    Args:
        operator: the name of a ready operation (``"sign"``), an operation, or a function of your own of an array.
        proxy: a name (``"clipped_relu(width=2)"``), a proxy, a function or module of the operator's arguments; the
            operation's own proxy (identity for a function of your own) unless given.
        learn: names of proxy parameters (``"width"``) to train: each becomes an ``nnx.Param`` of that name, starting
            at the proxy's value, a number or an array.
        rngs: where the keys of stochastic_round come from, stream ``noise``.
        **keywords: passed on to the operator (``axis=0``, ``k=3``, ``threshold=0.1``).

    Attributes:
        deterministic: True in inference; ``model.train()`` and ``model.eval()`` set it, as they do a dropout's.
        proxy: the proxy in effect. A proxy parameter given as an array, and not learned, is a `ProxyState`.

    Returns:
        Called with x, and with whatever else the operator takes: what the operator returns.

    Gradient:
        The proxy's. In eval mode the bare operator's own, 0 but for clip.

    Raises:
        UnknownNameError: no operation or proxy has this name.
        ArgumentError: an argument that the operator or the proxy does not take.

    Example:
        >>> import jax.numpy as jnp
        >>> layer = StraightThrough("sign", proxy="clipped_identity(width=2)", learn="width")
        >>> loss = lambda layer: layer(jnp.array([-0.3, 0.0, 5.0])).sum()
        >>> nnx.grad(loss)(layer).width[...].tolist()
        1.0

    Source:
        Courbariaux, Hubara, Soudry, El-Yaniv, Bengio 2016, arXiv 1602.02830.
    """

    proxy_module: Any = None
    rngs: Any = None

    def __init__(
        self, operator: Any, proxy: Any = None, *, learn: Any = (), rngs: nnx.Rngs | None = None, **keywords: Any
    ):
        if isinstance(operator, nnx.Module):
            remedy = "an operator gets no gradient, so it can have no parameters to learn"
            raise ArgumentError(wrong("StraightThrough", "operator", "a name or a function", short(operator), remedy))
        if isinstance(proxy, nnx.Module):
            # Inside the arguments, which NNX takes for a constant, its parameters would not be found.
            self.proxy_module, proxy = proxy, _own_module
        self.arguments = Arguments(operator, proxy, learn, keywords)
        state = self.arguments.state()
        for name, (start, learned) in state.items():
            array = jnp.float32(start) if isinstance(start, float) else start
            setattr(self, name, (nnx.Param if learned else ProxyState)(array))
        self.state_names = tuple(state)
        if rngs is not None:
            self.rngs = rngs["noise"].fork()
        self.deterministic = False

    @property
    def proxy(self) -> Any:
        if self.proxy_module is not None:
            return self.proxy_module
        return self.arguments.proxy_with({name: getattr(self, name) for name in self.state_names})

    def set_view(self, deterministic: bool | None = None) -> None:
        """What `nnx.view` calls.

        Args:
            deterministic: True in inference; None changes nothing.
        """
        if deterministic is not None:
            self.deterministic = deterministic

    def __call__(self, x: jax.Array, *others: Any, **more: Any) -> jax.Array:
        if self.rngs is not None and "key" not in more and self.arguments.takes("key"):
            more["key"] = self.rngs()
        proxy = None if self.deterministic else self.proxy
        return self.arguments.call(proxy, self.deterministic, x, others, more)  # type: ignore[no-any-return]


def _own_module(*arguments: Any, **keywords: Any) -> Any:
    """Stands in the arguments for a module that the layer holds itself."""
