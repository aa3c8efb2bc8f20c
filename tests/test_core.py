"""What is special to the primitive, to `with_proxy` in all its forms, and to `hard`."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import own_operators
import straightthrough as ste
from native import TENSORFLOW, TORCH, each_framework
from straightthrough import _registry

PLACES = [-0.5, 0.25, 0.75, 2.5]


# The primitive.


@each_framework
def test_value_of_the_result_and_derivative_of_the_proxy(native):
    result, proxy = native.array([3.0, -1.0]), native.array([0.5, 0.25])
    assert native.numpy(ste.straight_through(result, proxy)).tolist() == [3, -1]
    cotangent = native.array([2.0, -5.0])
    gradients = native.gradients(ste.straight_through, result, proxy, cotangent=cotangent)
    assert [gradient.tolist() for gradient in gradients] == [[0, 0], [2, -5]]


@each_framework
def test_it_is_the_lectures_line_where_that_one_is_exact(native):
    """x + stop_gradient(op(x) - x): the same value and the same derivative on ordinary inputs."""
    x = native.array([-1.75, -0.5, 0.25, 0.5, 1.5, 100.25])
    (ours,) = native.gradients(lambda x: ste.straight_through(ste.hard(ste.round)(x), x) * x, x)
    (line,) = native.gradients(lambda x: (x + ste.stop_gradient(ste.hard(ste.round)(x) - x)) * x, x)
    assert ours.tolist() == line.tolist()
    value = native.numpy(ste.straight_through(ste.hard(ste.round)(x), x))
    assert value.tolist() == native.numpy(x + ste.stop_gradient(ste.hard(ste.round)(x) - x)).tolist()


@pytest.mark.parametrize(
    ("dtype", "place"), [("bfloat16", 258.0), ("bfloat16", 516.0), ("float16", 4100.0), ("float32", 33554436.0)]
)
@each_framework
def test_and_keeps_the_value_where_that_one_loses_it(native, dtype, place):
    x = native.array([place], dtype)
    assert native.numpy(ste.straight_through(ste.hard(ste.sign)(x), x)).tolist() == [1]
    assert native.numpy(ste.sign(x, proxy="identity")).tolist() == [1]
    assert native.numpy(x + ste.stop_gradient(ste.hard(ste.sign)(x) - x)).tolist() != [1]


@each_framework
def test_a_proxy_expression_is_differentiated_by_the_framework(native):
    x = native.array([0.5, -2.0])
    (gradient,) = native.gradients(lambda x: ste.straight_through(ste.hard(ste.sign)(x), x * x * x), x)
    assert gradient.tolist() == [0.75, 12]


@each_framework
def test_stop_gradient(native):
    x = native.array([0.5, -2.0])
    assert native.numpy(ste.stop_gradient(x)).tolist() == [0.5, -2]
    (gradient,) = native.gradients(lambda x: ste.stop_gradient(x) * x, x)
    assert gradient.tolist() == [0.5, -2]
    # Nothing but differentiation sees it, so integers are welcome.
    assert native.numpy(ste.stop_gradient(native.array([1, 2], "int32"))).tolist() == [1, 2]


# with_proxy, in all forms.


def threshold(x: Any) -> Any:
    return x > 0.5


def _forms() -> dict[str, Any]:
    return {
        "call": ste.with_proxy(threshold, "clipped_relu(width=2)"),
        "keyword": ste.with_proxy(threshold, proxy="clipped_relu(width=2)"),
        "decorator": ste.with_proxy(proxy="clipped_relu(width=2)")(threshold),
        "a proxy": ste.with_proxy(threshold, ste.proxies.clipped_relu(width=2)),
        "lambda": ste.with_proxy(lambda x: x > 0.5, "clipped_relu(width=2)"),
        "partial": ste.with_proxy(functools.partial(own_operators.plain, level=0.5), "clipped_relu(width=2)"),
        "instance": ste.with_proxy(own_operators.Layer(0.5), "clipped_relu(width=2)"),
        "bound method": ste.with_proxy(own_operators.Layer(0.5).__call__, "clipped_relu(width=2)"),
        "module's decorated function": own_operators.spike,
        "another proxy for an operation": ste.with_proxy(own_operators.paired, "clipped_relu(width=2)"),
        "a function of the arguments": ste.with_proxy(threshold, lambda x: ste.proxies.clipped_relu(width=2)(x)),
    }


@pytest.mark.parametrize("form", _forms())
@each_framework
def test_every_form_of_with_proxy(native, form):
    operation = _forms()[form]
    x = native.array(PLACES)
    for function in (operation, native.compiled(operation)):
        y = function(x)
        assert y.dtype == x.dtype
        assert native.numpy(y).tolist() == [0, 0, 1, 1]
        assert native.gradients(function, x)[0].tolist() == [0, 1, 1, 0]
    assert isinstance(operation, ste.Operation)
    assert isinstance(operation.name, str)


def test_a_decorated_function_keeps_its_name_its_help_and_its_signature():
    spike = own_operators.spike
    assert spike.name == spike.__name__ == "spike"
    assert spike.__doc__ == "Spikes above 0.5."
    assert list(inspect.signature(spike).parameters) == ["x", "proxy"]
    assert repr(spike) == "<operation spike, proxy clipped_relu(width=2.0)>"
    assert repr(own_operators.halves) == "<operation halves, proxy identity>"
    assert list(inspect.signature(ste.top_k_mask).parameters) == ["x", "k", "axis", "proxy"]


@each_framework
def test_extra_arguments_go_to_the_operator(native):
    operation = own_operators.paired
    x = native.array(PLACES)
    for y in (operation(x, 1.0), operation(x, level=1.0), operation(x, level=1.0, proxy="identity")):
        assert native.numpy(y).tolist() == [0, 0, 0, 1]
    (gradient,) = native.gradients(lambda x: operation(x, level=1.0, proxy="clipped_relu"), x)
    assert gradient.tolist() == [0, 1, 1, 0]


@each_framework
def test_a_proxy_function_gets_the_operators_arguments(native):
    operation = ste.with_proxy(own_operators.plain, lambda x, level=0.5: x * level)
    (gradient,) = native.gradients(lambda x: operation(x, level=3.0), native.array(PLACES))
    assert gradient.tolist() == [3, 3, 3, 3]
    (gradient,) = native.gradients(lambda x: operation(x, 2.0), native.array(PLACES))
    assert gradient.tolist() == [2, 2, 2, 2]


@each_framework
def test_as_a_method_of_a_class(native):
    class Neuron:
        def __init__(self, level: float):
            self.level = level

        @ste.with_proxy(proxy="clipped_relu")
        def fire(x: Any, level: float) -> Any:
            return x > level

        def __call__(self, x: Any) -> Any:
            return Neuron.fire(x, self.level)

    x = native.array(PLACES)
    neuron = Neuron(0.5)
    assert native.numpy(neuron(x)).tolist() == [0, 0, 1, 1]
    assert native.gradients(neuron, x)[0].tolist() == [0, 1, 1, 0]


@each_framework
def test_a_decorated_method_gets_its_instance(native):
    """`self` comes first in a method, and is no array: the operator's array is the first array after it."""

    class Neuron:
        level = 0.5

        @ste.with_proxy(proxy="clipped_relu")
        def fire(self, x: Any) -> Any:
            return x > self.level

    x = native.array(PLACES)
    neuron = Neuron()
    assert native.numpy(neuron.fire(x)).tolist() == [0, 0, 1, 1]
    assert native.gradients(neuron.fire, x)[0].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("proxy", ["identity", "relu", "function"])
@each_framework
def test_what_an_operator_closes_over_receives_no_gradient(native, proxy):
    x = native.array(PLACES)
    stand_in = (lambda x: x * 1.0) if proxy == "function" else proxy

    def scaled_rounding(x: Any, scale: Any) -> Any:
        return ste.with_proxy(lambda x: ste.hard(ste.round)(x / scale) * scale, stand_in)(x)

    gradients = native.gradients(scaled_rounding, x, native.array(0.5))
    assert gradients[1].tolist() == 0
    assert gradients[0].tolist() == ([0, 1, 1, 1] if proxy == "relu" else [1, 1, 1, 1])
    y = native.numpy(scaled_rounding(x, native.array(0.5)))
    assert y.tolist() == (np.round(np.float32(PLACES) * 2) / 2).tolist()


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32"])
@each_framework
def test_a_boolean_or_integer_result_is_cast_on_every_path(native, dtype):
    """With a gradient, without one, and as the bare operator: one dtype and one value."""

    def rounded(x: Any) -> Any:
        mask = x > 0.5
        if native is TORCH:
            return mask.to(getattr(native.torch, dtype))
        return native.tf.cast(mask, dtype) if native is TENSORFLOW else mask.astype(dtype)

    operation = ste.with_proxy(rounded, "relu")
    x = native.array(PLACES, "bfloat16")
    found = [operation(x), ste.hard(operation)(x), native.compiled(operation)(x)]
    if native is TORCH:
        with native.torch.no_grad():
            found.append(operation(x))
        found.append(operation(x.requires_grad_()))
    for y in found:
        assert y.dtype == x.dtype
        assert native.numpy(y).tolist() == [0, 0, 1, 1]


@each_framework
def test_a_proxy_given_at_the_call_overrides(native):
    x = native.array(PLACES)
    for proxy, wanted in {"identity": [1, 1, 1, 1], "relu": [0, 1, 1, 1], "clipped_identity": [1, 1, 1, 0]}.items():
        assert native.gradients(lambda x, p=proxy: own_operators.spike(x, proxy=p), x)[0].tolist() == wanted
    assert native.gradients(own_operators.spike, x)[0].tolist() == [0, 1, 1, 0]


@each_framework
def test_an_operation_inside_an_operation(native):
    inner = ste.with_proxy(lambda x: ste.round(x), "relu")
    x = native.array(PLACES)
    assert native.gradients(inner, x)[0].tolist() == [0, 1, 1, 1]
    assert native.numpy(inner(x)).tolist() == [0, 0, 1, 2]


# Pickles.


def test_ready_operations_pickle_by_name():
    for operation in _registry.operations.values():
        assert pickle.loads(pickle.dumps(operation)) is operation
        assert copy.deepcopy(operation) is operation


@pytest.mark.parametrize("operation", [own_operators.spike, own_operators.halves], ids=lambda operation: operation.name)
def test_a_decorated_function_pickles_by_its_name(operation):
    assert pickle.loads(pickle.dumps(operation)) is operation
    assert copy.deepcopy(operation) is operation


def test_an_operation_of_a_plain_function_or_with_another_proxy_pickles():
    x = TORCH.array(PLACES)
    others = (
        own_operators.paired,
        ste.with_proxy(ste.sign, "relu"),
        ste.with_proxy(own_operators.spike, "relu"),
        ste.with_proxy(own_operators.Layer(0.5), "relu"),
        ste.with_proxy(functools.partial(own_operators.plain, level=0.25), "relu"),
    )
    for operation in others:
        again = pickle.loads(pickle.dumps(operation))
        assert (again.name, again.proxy) == (operation.name, operation.proxy)
        assert again(x).tolist() == operation(x).tolist()
        assert TORCH.gradients(again, x)[0].tolist() == TORCH.gradients(operation, x)[0].tolist()


def test_a_pickle_is_read_in_a_fresh_process():
    here = Path(__file__).resolve().parent
    data = pickle.dumps([own_operators.spike, own_operators.paired, ste.round, ste.with_proxy(ste.sign, "relu")])
    program = (
        f"import sys, pickle; sys.path[:0] = {[str(here), str(here.parent / 'src')]!r}\n"
        f"for operation in pickle.loads({data!r}): print(operation)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "<operation spike, proxy clipped_relu(width=2.0)>",
        "<operation plain, proxy sigmoid(sharpness=2.0)>",
        "<operation round, proxy identity>",
        "<operation sign, proxy relu>",
    ]


# The way off.


def _arguments(operation: ste.Operation, native: Any) -> tuple[Any, ...]:
    if operation is ste.stochastic_round:
        return (native.generator(3),)
    if operation.name in ("clip", "top_k_mask"):
        return {"clip": (-1.0, 1.0), "top_k_mask": (2,)}[operation.name]
    return (0.5,) if "y" in inspect.signature(operation).parameters else ()


@each_framework
def test_hard_has_the_same_value_and_no_gradient(native):
    x = native.array([[-1.5, -0.0, 0.5, 0.75, np.inf, np.nan]])
    for operation in _registry.operations.values():
        bare = ste.hard(operation)(x, *_arguments(operation, native))
        through = operation(x, *_arguments(operation, native))
        np.testing.assert_array_equal(native.numpy(bare), native.numpy(through))
        assert np.signbit(native.numpy(bare)).tolist() == np.signbit(native.numpy(through)).tolist()
        assert bare.dtype == through.dtype


@each_framework
def test_hard_reaches_through_a_whole_function(native):
    def network(x: Any) -> Any:
        return ste.sign(own_operators.spike(x) - 0.25) * x + ste.straight_through(x * 0.0, x) + ste.round(x) * 0.0

    x = native.array(PLACES)
    assert native.numpy(ste.hard(network)(x)).tolist() == native.numpy(network(x)).tolist()
    # Only the factor x is left to differentiate: every operation in it is flat.
    wanted = native.numpy(ste.hard(ste.sign)(ste.hard(own_operators.spike)(x) - 0.25))
    assert native.gradients(ste.hard(network), x)[0].tolist() == wanted.tolist()
    assert native.gradients(network, x)[0].tolist() != wanted.tolist()


def test_hard_ends_with_the_call_also_after_an_error():
    x = TORCH.array(PLACES)

    def failing(x: Any) -> Any:
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        ste.hard(failing)(x)
    assert TORCH.gradients(ste.round, x)[0].tolist() == [1, 1, 1, 1]
    # Nested: the inner one does not switch the outer one off.
    outer = ste.hard(lambda x: ste.hard(ste.sign)(x) * ste.round(x))
    assert TORCH.gradients(outer, x)[0].tolist() == [0, 0, 0, 0]


@each_framework
def test_one_thread_exports_while_another_trains(native):
    x = native.array(PLACES)
    inside, trained, seen = threading.Event(), threading.Event(), []

    def export(x: Any) -> Any:
        inside.set()
        assert trained.wait(60)
        return ste.round(x)

    def run() -> None:
        seen.append(native.gradients(ste.hard(export), x)[0].tolist())

    thread = threading.Thread(target=run)
    thread.start()
    assert inside.wait(60)
    gradients = native.gradients(ste.round, x)[0].tolist()
    trained.set()
    thread.join(60)
    assert gradients == [1, 1, 1, 1]
    assert seen == [[0, 0, 0, 0]]


def test_hard_shows_what_it_holds():
    assert repr(ste.hard(ste.sign)) == "<hard <operation sign, proxy clipped_identity(width=1.0)>>"
    assert ste.hard(ste.sign).__name__ == "sign"


@pytest.mark.torch
@pytest.mark.parametrize("name", ["sign", "heaviside", "ternary", "one_hot_argmax"])
def test_a_sparse_tensor_is_told_to_become_dense(name):
    torch = pytest.importorskip("torch")
    with pytest.raises(ste.ArgumentError, match=r"x must be a dense array.*torch\.sparse_coo.*to_dense"):
        getattr(ste, name)(torch.eye(3).to_sparse())
