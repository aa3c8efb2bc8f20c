"""Contract line 8: the same sentences inside the compilers, and the classes of the errors.

The numbers are those of the list of bad inputs that the library promises to refuse. A sentence names the function, the
argument, what came, what is wanted and, where it is not plain, what to do; it is under test to the letter.
"""

from __future__ import annotations

import pytest

import straightthrough as ste
from conformance.refusals import AN_ARRAY, TO_CAST, TO_CONVERT, refused
from native import TORCH, each_framework

# Inside the compilers: the same sentences, raised while tracing.


def _chain(error: BaseException | None) -> str:
    texts = []
    while error is not None:
        texts.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


COMPILED = {
    "4 integers": (
        lambda x: ste.sign(x > 0),
        f"sign: x must be a floating array, got an array of bool; {TO_CAST}",
    ),
    "5 boolean proxy": (
        lambda x: ste.straight_through(x, x > 0),
        "straight_through: proxy must be a floating array, got an array of bool; only floats carry a gradient",
    ),
    "2 no array": (
        lambda x: ste.straight_through("text", x),
        f"straight_through: result must be {AN_ARRAY}, got 'text'; {TO_CONVERT}",
    ),
    "10 larger result": (
        lambda x: ste.straight_through(x[:, None], x),
        "straight_through: result must be of a shape that broadcasts to the proxy's (2,), got (2, 1)",
    ),
    "13 unknown name": (
        lambda x: ste.sign(x, proxy="clipd_relu"),
        "sign: no proxy is named 'clipd_relu'; did you mean 'clipped_relu'?",
    ),
    "15 shape of a proxy function": (
        lambda x: ste.sign(x, proxy=lambda x: x[:1]),
        "sign: what the proxy <lambda> returns must be of the operator's shape (2,), got (1,)",
    ),
    "16 proxy function without result": (
        lambda x: ste.sign(x, proxy=lambda x: None),
        "sign: what the proxy <lambda> returns must be a floating array of {framework}, got None",
    ),
    "17 width": (
        lambda x: ste.sign(x, proxy="clipped_relu(width=0)"),
        "clipped_relu: width must be a finite number > 0, got 0.0",
    ),
    "19 clip": (
        lambda x: ste.clip(x, 1.0, 0.0),
        "clip: low and high must be numbers with low < high, got 1.0 and 0.0",
    ),
    "20 axis": (
        lambda x: ste.one_hot_argmax(x, axis=1),
        "one_hot_argmax: axis must be a whole number from -1 to 0, got 1; x has shape (2,)",
    ),
    "24 keyword": (
        lambda x: ste.sign(x, axis=1),
        "sign: sign takes x, proxy; got an unexpected keyword argument 'axis'",
    ),
}


@pytest.mark.parametrize(("function", "message"), COMPILED.values(), ids=COMPILED)
@each_framework
def test_the_same_sentences_inside_a_compiler(native, function, message):
    x = native.array([0.3, -1.2])
    message = message.format(framework=native.name)
    if native is TORCH and function is COMPILED["24 keyword"][0]:
        # Dynamo binds the arguments before our code runs, and says what is wrong itself.
        message = "Unexpected keyword arguments: ['axis']"
    # torch.compile and AutoGraph wrap ours in their own.
    with pytest.raises(Exception) as caught:
        native.compiled(function)(x)
    assert message in _chain(caught.value)


@each_framework
def test_a_good_call_still_works_after_a_refused_one(native):
    x = native.array([0.3, -1.2])
    with pytest.raises(ste.SteError):
        ste.sign(x, proxy="clipd_relu")
    assert native.numpy(native.compiled(ste.sign)(x)).tolist() == [1, -1]


# The sentences and their classes.


def test_every_error_is_an_ste_error_and_the_builtin_one():
    builtin = {
        ste.ArgumentError: ValueError,
        ste.ShapeError: ValueError,
        ste.UnknownNameError: ValueError,
        ste.DtypeError: TypeError,
        ste.FrameworkError: TypeError,
        ste.UnsupportedError: NotImplementedError,
        ste.MissingDependencyError: ImportError,
    }
    for error, base in builtin.items():
        assert issubclass(error, ste.SteError)
        assert issubclass(error, base)
    assert issubclass(ste.DataError, ste.SteError)


def test_this_check_can_fail():
    with pytest.raises(AssertionError):
        refused(ste.ArgumentError, "sign: something else", lambda: ste.sign(None))
    with pytest.raises(pytest.fail.Exception):
        refused(ste.ArgumentError, "", lambda: ste.sign(TORCH.array([1.0])))
