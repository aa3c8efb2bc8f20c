"""What the network is on every framework: its sizes, its variants, its first weights, the order of its data.

All of it comes from numpy, so that the three frameworks tell one story: same start, same batches, same optimizer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from straightthrough._errors import MissingDependencyError
from straightthrough.core import with_proxy
from straightthrough.proxies import matched

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from straightthrough.datasets import Dataset

    Floats = NDArray[np.float32]
    Weights = list[tuple[Floats, Floats]]
    """Kernel (inputs, outputs) and bias (outputs,) of each layer, from the input to the head."""

HIDDEN = (16, 16, 16)
"""Narrow on purpose: wide random features would do well without any training of the hidden layers."""

CLASSES = 10
BATCH = 32
LEARNING_RATE = 2e-3
PROBE = 256
"""So many training images are used to look at gradients and to match widths."""

FIX = "clipped_identity"
"""The proxy of the fix: the default one of `straightthrough.sign`."""


class Variant(NamedTuple):
    """One way to run the network: its name, what its hidden activations are, and with which proxy."""

    name: str
    kind: Literal["broken", "float", "proxy", "matched"]
    proxy: str = ""


VARIANTS = (
    Variant("broken", "broken"),
    Variant("float (tanh)", "float"),
    Variant("identity", "proxy", "identity"),
    Variant("relu", "proxy", "relu"),
    Variant("clipped_relu", "proxy", "clipped_relu"),
    Variant("clipped_identity", "proxy", "clipped_identity"),
    Variant("sigmoid", "proxy", "sigmoid"),
    Variant("gaussian, matched", "matched", "gaussian"),
)


class Step(NamedTuple):
    """What arrives at one step of the network on the way back; None where the framework gives no gradient at all."""

    name: str
    loss_gradient: float | None
    weight_gradient: float | None
    has_weights: bool


class Framework(Protocol):
    """What each framework's file holds."""

    NAME: str
    HARD: str  # how its hard operator is written
    FORMAT: str  # what a shipped model is

    hard: Callable[[Any], Any]
    tanh: Callable[[Any], Any]

    def version(self) -> str: ...

    def array(self, x: Floats) -> Any: ...

    def model(self, weights: Weights, activations: Sequence[Callable[[Any], Any]]) -> Any: ...

    def weights(self, model: Any) -> Weights: ...

    def outputs(self, model: Any, x: Any) -> list[Any]: ...

    def flow(self, model: Any, x: Floats, y: NDArray[np.int64]) -> list[Step]: ...

    def train(
        self, model: Any, data: Data, batches: NDArray[np.int64], on_epoch: Callable[[], None]
    ) -> list[float]: ...

    def logits(self, model: Any, x: Floats) -> Floats: ...


class Data(NamedTuple):
    """Images as rows, centred and scaled by the training images, and labels."""

    x_train: Floats
    y_train: NDArray[np.int64]
    x_test: Floats
    y_test: NDArray[np.int64]
    note: str


def load_framework(name: str) -> Framework:
    """The file of a framework.

    Raises:
        MissingDependencyError: the framework is not installed; says what to install.
    """
    import importlib
    import typing

    try:
        module = importlib.import_module(f"straightthrough.demo.{name}")
    except ImportError as error:
        # Only a missing framework is explained; any other failing import is shown as it is.
        if (error.name or "").partition(".")[0] not in (name, "jaxlib"):
            raise
        remedy = f"pip install 'straightthrough[{name}]', or choose another --framework"
        raise MissingDependencyError(
            f"demo: --framework {name} needs {name}, which is not installed; {remedy}"
        ) from error
    return typing.cast(Framework, module)


def prepared(dataset: Dataset) -> Data:
    """The data set as rows: the mean training image subtracted, divided by one standard deviation."""
    import numpy as np

    flat = [x.reshape(len(x), -1) for x in (dataset.x_train, dataset.x_test)]
    centre, scale = flat[0].mean(axis=0), flat[0].std()
    x_train, x_test = (((x - centre) / scale).astype(np.float32) for x in flat)
    return Data(x_train, dataset.y_train, x_test, dataset.y_test, dataset.note)


def sizes(data: Data) -> tuple[int, ...]:
    """The number of units from the input to the head."""
    return (data.x_train.shape[1], *HIDDEN, CLASSES)


def first_weights(units: Sequence[int], seed: int) -> Weights:
    """Uniform kernels within ± 1/√inputs, biases of 0."""
    import itertools

    import numpy as np

    random = np.random.default_rng([seed, 0])
    weights: Weights = []
    for inputs, outputs in itertools.pairwise(units):
        kernel = random.uniform(-1.0, 1.0, (inputs, outputs)) / np.sqrt(inputs)
        weights.append((kernel.astype(np.float32), np.zeros(outputs, np.float32)))
    return weights


def batches(images: int, epochs: int, seed: int) -> NDArray[np.int64]:
    """Which images each step sees: (epochs, steps, batch), every epoch in a new order."""
    import numpy as np

    random = np.random.default_rng([seed, 1])
    batch = min(BATCH, images)
    orders = [random.permutation(images)[: images // batch * batch] for _ in range(epochs)]
    return np.stack(orders).reshape(epochs, -1, batch)


def activations(framework: Framework, variant: Variant, weights: Weights, x: Floats) -> list[Callable[[Any], Any]]:
    """The hidden activations of a variant, one per hidden layer.

    Args:
        framework: its file.
        variant: one of VARIANTS.
        weights: the first weights, and
        x: some training images: a matched proxy fits its width to what the operator receives there.
    """
    count = len(weights) - 1
    if variant.kind == "broken":
        return [framework.hard] * count
    if variant.kind == "float":
        return [framework.tanh] * count
    if variant.kind == "proxy":
        return [with_proxy(framework.hard, proxy=variant.proxy)] * count
    outputs = framework.outputs(framework.model(weights, [framework.hard] * count), framework.array(x))
    inputs = outputs[0 : 2 * count : 2]
    return [with_proxy(framework.hard, proxy=matched(variant.proxy, z)) for z in inputs]


def step_names(weights: Weights) -> list[str]:
    """Names of the network's outputs in the order of `Framework.outputs`, from the input to the head."""
    hidden = [name for k in range(1, len(weights)) for name in (f"hidden {k}", f"sign {k}")]
    return [*hidden, "output"]


@dataclass(frozen=True)
class Trained:
    """What a run leaves behind: weights, test logits, and the training loss of each epoch."""

    weights: Weights
    logits: Floats
    losses: list[float]
