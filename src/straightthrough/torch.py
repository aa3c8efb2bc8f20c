"""A hard operator as a PyTorch module."""

from __future__ import annotations

from typing import Any

import torch

from straightthrough._layer import Arguments

__all__ = ["StraightThrough"]


class StraightThrough(torch.nn.Module):
    """A hard operator with the gradient of a proxy, as a module.

    training: y = operator(x), ∂y/∂x = the proxy's slope;   eval: y = operator(x), nothing else.

    Args:
        operator: the name of a ready operation (``"sign"``), an operation, or a function of your own of a tensor.
        proxy: a name (``"clipped_relu(width=2)"``), a proxy, a function or module of the operator's arguments; the
            operation's own proxy (identity for a function of your own) unless given.
        learn: names of proxy parameters (``"width"``) to train: each becomes an ``nn.Parameter`` of that name,
            starting at the proxy's value, a number or a tensor.
        **keywords: passed on to the operator (``axis=0``, ``k=3``, ``threshold=0.1``).

    Attributes:
        proxy: the proxy in effect. A proxy parameter given as an ``nn.Parameter`` is a parameter of this module, one
            given as another tensor a buffer (write to it to anneal it: nothing is compiled again). Nothing keeps a
            learned width above 0 but your optimiser.

    Returns:
        Called with x, and with whatever else the operator takes: what the operator returns.

    Gradient:
        The proxy's. In eval mode the bare operator's own: 0 or none, but for clip. Where a model in eval mode shall be
        differentiated (saliency, adversarial examples), put these modules back into training mode, which changes no
        value: ``for m in model.modules(): m.train(isinstance(m, StraightThrough))``.

    Raises:
        UnknownNameError: no operation or proxy has this name.
        ArgumentError: an argument that the operator or the proxy does not take.

    Example:
        >>> import torch
        >>> layer = StraightThrough("sign", proxy="clipped_identity(width=2)", learn="width")
        >>> layer
        StraightThrough(sign, proxy=clipped_identity(width=2.0), learn=['width'])
        >>> layer(torch.tensor([-0.3, 0.0, 5.0])).sum().backward()
        >>> layer.width.grad
        tensor(1.)

    Source:
        Courbariaux, Hubara, Soudry, El-Yaniv, Bengio 2016, arXiv 1602.02830.
    """

    def __init__(self, operator: Any, proxy: Any = None, *, learn: Any = (), **keywords: Any):
        super().__init__()
        self.arguments = Arguments(operator, proxy, learn, keywords)
        # Modules among the arguments are found here by parameters(), to() and state_dict().
        self.operator_module = operator if isinstance(operator, torch.nn.Module) else None
        self.proxy_module = proxy if isinstance(proxy, torch.nn.Module) else None
        state = self.arguments.state()
        for name, (start, learned) in state.items():
            if isinstance(start, torch.nn.Parameter):
                self.register_parameter(name, start)
            elif learned:
                self.register_parameter(name, torch.nn.Parameter(torch.as_tensor(start)))
            else:
                self.register_buffer(name, start)
        self._state_names = tuple(state)

    @property
    def proxy(self) -> Any:
        if self.proxy_module is not None:
            return self.proxy_module
        return self.arguments.proxy_with({name: getattr(self, name) for name in self._state_names})

    def forward(self, x: torch.Tensor, *others: Any, **more: Any) -> torch.Tensor:
        proxy = self.proxy if self.training else None
        return self.arguments.call(proxy, not self.training, x, others, more)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        return repr(self.arguments)
