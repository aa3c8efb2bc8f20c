"""The demo's network in PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from straightthrough.demo.network import LEARNING_RATE, Data, Step, step_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from straightthrough.demo.network import Floats, Weights

NAME = "torch"
HARD = "torch.sign"
FORMAT = "torch.export (.pt2)"

hard, tanh = torch.sign, torch.tanh


class Network(nn.Module):
    """Linear layers with an activation after each but the last."""

    def __init__(self, weights: Weights, activations: Sequence[Callable[[Tensor], Tensor]]):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*kernel.shape) for kernel, _ in weights)
        self.activations = list(activations)
        with torch.no_grad():
            for layer, (kernel, bias) in zip(self.linear(), weights, strict=True):
                layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
                layer.bias.copy_(torch.from_numpy(bias))

    def linear(self) -> list[nn.Linear]:
        """The layers, typed."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What each step gives, from the input to the head."""
        steps = []
        for layer, activation in zip(self.layers, self.activations, strict=False):
            before = layer(x)
            x = activation(before)
            steps += [before, x]
        return [*steps, self.layers[-1](x)]

    def forward(self, x: Tensor) -> Tensor:
        return self.outputs(x)[-1]


def version() -> str:
    """The framework and its version."""
    return f"torch {torch.__version__}"


def array(x: Floats) -> Tensor:
    """A numpy array as a tensor."""
    return torch.from_numpy(x)


def model(weights: Weights, activations: Sequence[Callable[[Any], Any]]) -> Network:
    """A network with these weights."""
    return Network(weights, activations)


def weights(model: Network) -> Weights:
    """Its weights, as numpy arrays."""
    return [(layer.weight.detach().T.numpy().copy(), layer.bias.detach().numpy().copy()) for layer in model.linear()]


def outputs(model: Network, x: Tensor) -> list[Tensor]:
    """What each step gives."""
    with torch.no_grad():
        return model.outputs(x)


def flow(model: Network, x: Floats, y: NDArray[np.int64]) -> list[Step]:
    """What arrives at each step on the way back, the head first."""
    model.zero_grad()
    outputs = model.outputs(torch.from_numpy(x))
    for output in outputs:
        output.retain_grad()
    nn.functional.cross_entropy(outputs[-1], torch.from_numpy(y)).backward()
    linear = model.linear()
    steps = []
    for place, (name, output) in enumerate(zip(step_names(weights(model)), outputs, strict=True)):
        layer = linear[place // 2] if place % 2 == 0 else None
        weight_gradient = _norm(layer.weight.grad) if layer is not None else None
        steps.append(Step(name, _norm(output.grad), weight_gradient, layer is not None))
    return steps[::-1]


def _norm(gradient: Tensor | None) -> float | None:
    return None if gradient is None else float(gradient.double().norm())


def train(model: Network, data: Data, batches: NDArray[np.int64], on_epoch: Callable[[], None]) -> list[float]:
    """Trains in place; returns the mean loss of each epoch."""
    threads = torch.get_num_threads()
    # So small a network keeps one thread busy; a second one would only make it wait.
    torch.set_num_threads(1)
    try:
        return _trained(model, data, batches, on_epoch)
    finally:
        torch.set_num_threads(threads)


def _trained(model: Network, data: Data, batches: NDArray[np.int64], on_epoch: Callable[[], None]) -> list[float]:
    x, y = torch.from_numpy(data.x_train), torch.from_numpy(data.y_train)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    losses = []
    for epoch in torch.from_numpy(batches):
        total = torch.zeros(())
        for batch in epoch:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        losses.append(float(total) / len(epoch))
        on_epoch()
    return losses


def logits(model: Network, x: Floats) -> Floats:
    """What the network says, with its proxies still in place."""
    result: Floats = model(torch.from_numpy(x)).detach().numpy()
    return result
