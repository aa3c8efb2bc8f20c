"""The demo's network in TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from straightthrough.demo.network import LEARNING_RATE, Data, Step, step_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from straightthrough.demo.network import Floats, Weights

Tensor = Any
NAME = "tensorflow"
HARD = "tf.sign"
FORMAT = "SavedModel"

hard, tanh = tf.sign, tf.tanh


class Network(tf.Module):
    """Dense layers with an activation after each but the last."""

    def __init__(self, weights: Weights, activations: Sequence[Callable[[Tensor], Tensor]]):
        super().__init__()
        self.kernels = [tf.Variable(kernel) for kernel, _ in weights]
        self.biases = [tf.Variable(bias) for _, bias in weights]
        self.activations = tuple(activations)

    def outputs(self, x: Tensor) -> list[Tensor]:
        """What each step gives, from the input to the head."""
        steps = []
        for kernel, bias, activation in zip(self.kernels, self.biases, self.activations, strict=False):
            before = x @ kernel + bias
            x = activation(before)
            steps += [before, x]
        return [*steps, x @ self.kernels[-1] + self.biases[-1]]

    def __call__(self, x: Tensor) -> Tensor:
        return self.outputs(x)[-1]


def _cross_entropy(logits: Tensor, y: Tensor) -> Tensor:
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))


def version() -> str:
    """The framework and its version."""
    return f"tensorflow {tf.__version__}"


def array(x: Floats) -> Tensor:
    """A numpy array as a tensor."""
    return tf.constant(x)


def model(weights: Weights, activations: Sequence[Callable[[Any], Any]]) -> Network:
    """A network with these weights."""
    return Network(weights, activations)


def weights(model: Network) -> Weights:
    """Its weights, as numpy arrays."""
    return [(kernel.numpy(), bias.numpy()) for kernel, bias in zip(model.kernels, model.biases, strict=True)]


def outputs(model: Network, x: Tensor) -> list[Tensor]:
    """What each step gives."""
    return model.outputs(x)


def flow(model: Network, x: Floats, y: NDArray[np.int64]) -> list[Step]:
    """What arrives at each step on the way back, the head first."""
    with tf.GradientTape() as tape:
        outputs = model.outputs(tf.constant(x))
        loss = _cross_entropy(outputs[-1], tf.constant(y))
    of_outputs, of_kernels = tape.gradient(loss, [outputs, model.kernels])
    steps = []
    for place, (name, gradient) in enumerate(zip(step_names(weights(model)), of_outputs, strict=True)):
        has_weights = place % 2 == 0
        weight_gradient = _norm(of_kernels[place // 2]) if has_weights else None
        steps.append(Step(name, _norm(gradient), weight_gradient, has_weights))
    return steps[::-1]


def _norm(gradient: Tensor | None) -> float | None:
    return None if gradient is None else float(tf.norm(tf.cast(gradient, tf.float64)))


class _Adam:
    """The optimizer, without Keras, whose backend may be another framework."""

    def __init__(self, variables: Sequence[Any]):
        self.variables = list(variables)
        self.first = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.second = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.step = tf.Variable(0.0)

    def apply(self, gradients: Sequence[Tensor | None]) -> None:
        step = self.step.assign_add(1.0)
        for p, m, v, g in zip(self.variables, self.first, self.second, gradients, strict=True):
            if g is not None:
                tf.raw_ops.ResourceApplyAdam(
                    var=p.handle, m=m.handle, v=v.handle, beta1_power=0.9**step, beta2_power=0.999**step,
                    lr=LEARNING_RATE, beta1=0.9, beta2=0.999, epsilon=1e-8, grad=g,
                )  # fmt: skip


def train(model: Network, data: Data, batches: NDArray[np.int64], on_epoch: Callable[[], None]) -> list[float]:
    """Trains in place; returns the mean loss of each epoch."""
    x, y = tf.constant(data.x_train), tf.constant(data.y_train)
    variables = [*model.kernels, *model.biases]
    optimizer = _Adam(variables)

    def step(batch: Tensor) -> Tensor:
        with tf.GradientTape() as tape:
            loss = _cross_entropy(model(tf.gather(x, batch)), tf.gather(y, batch))
        optimizer.apply(tape.gradient(loss, variables))
        return loss

    @tf.function(autograph=False)
    def epoch(batches: Tensor) -> Tensor:
        return tf.reduce_mean(tf.map_fn(step, batches, fn_output_signature=tf.float32, parallel_iterations=1))

    losses = []
    for some in batches:
        losses.append(float(epoch(tf.constant(some))))
        on_epoch()
    return losses


def logits(model: Network, x: Floats) -> Floats:
    """What the network says, with its proxies still in place; compiled, as it was trained."""
    images = tf.constant(x)
    result: Floats = tf.function(model.__call__, autograph=False).get_concrete_function(images)(images).numpy()
    return result
