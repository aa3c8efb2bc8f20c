"""What the tests of the Keras layer run in a process of their own, once per backend: `KERAS_BACKEND` is read at import.

``python keras_program.py check`` FOLDER`` runs every function named check_..., then trains and saves a model; ``load
FOLDER`` opens it in a process that has not seen it. The last line printed is a JSON object.
"""

from __future__ import annotations

import json
import pathlib
import sys
import traceback
import warnings

import keras
import numpy as np

BACKEND = keras.backend.backend()
X = np.array([[-3.0, -0.3, 0.0, 1.5], [0.2, 5.0, -1.0, 0.7]], "float32")


def to_numpy(x):
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.cast(x, "float32")))


def input_gradient(layer, x, **keywords):
    """The gradient of a weighted sum of the layer's output with respect to its input, by the backend's own means."""
    weights = np.arange(1.0, x.size + 1.0, dtype="float32").reshape(x.shape)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x, **keywords) * weights)
        return tape.gradient(total, x, unconnected_gradients="zero").numpy()
    if BACKEND == "jax":
        import jax
        import jax.numpy as jnp

        return np.asarray(jax.grad(lambda x: (layer(x, **keywords) * weights).sum())(jnp.asarray(x)))
    import torch

    x = torch.tensor(x, requires_grad=True)
    total = (layer(x, **keywords) * torch.tensor(weights)).sum()
    if not total.requires_grad:
        return np.zeros(x.shape, "float32")
    return torch.autograd.grad(total, x, allow_unused=True, materialize_grads=True)[0].numpy()


def layers():
    """Layers in the forms in which arguments come."""
    import straightthrough as ste
    from straightthrough.keras import StraightThrough

    column = keras.ops.convert_to_tensor([1.0, 2.0, 3.0, 4.0])
    clipped = ste.proxies.clipped_identity
    return {
        "name": StraightThrough("sign"),
        "operation": StraightThrough(ste.sign, "relu"),
        "another proxy": StraightThrough(ste.with_proxy(ste.round, "relu")),
        "proxy with a number": StraightThrough("sign", clipped(width=2.0)),
        "own function": StraightThrough(spike),
        "own operation": StraightThrough(relu_spike),
        "own proxy": StraightThrough("sign", doubled),
        "layer as proxy": StraightThrough("sign", keras.layers.PReLU()),
        "keywords": StraightThrough("top_k_mask", k=2, axis=0),
        "level": StraightThrough("greater", y=0.5),
        "learned": StraightThrough("sign", "clipped_identity(width=2)", learn="width"),
        "learned, per column": StraightThrough("sign", clipped(width=column), learn=["width", "scale"]),
        "annealed": StraightThrough("sign", ste.proxies.ede(t=column)),
        "temperature": StraightThrough("one_hot_argmax", "softmax(temperature=2)", learn="temperature"),
    }


@keras.saving.register_keras_serializable("tests")
def spike(x):
    return x > 0.1


@keras.saving.register_keras_serializable("tests")
def doubled(x):
    return 2.0 * x


def register_relu_spike():
    import straightthrough as ste

    def relu_spike(x):
        return x > 0.1

    return keras.saving.register_keras_serializable("tests")(ste.with_proxy(relu_spike, "relu"))


def check_gradient_by_training_flag():
    for name, layer in layers().items():
        value = to_numpy(layer(X))
        given = [input_gradient(layer, X), input_gradient(layer, X, training=True)]
        assert np.array_equal(*given), name
        assert np.abs(given[0]).sum() > 0, name
        assert np.array_equal(value, to_numpy(layer(X, training=False))), name
        assert np.array_equal(value, to_numpy(layer(X, training=True))), name
        bare = input_gradient(layer, X, training=False)
        assert np.abs(bare).sum() == 0, (name, bare)


def check_config_gives_the_same_layer():
    for name, layer in layers().items():
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
        again = keras.saving.deserialize_keras_object(config)
        assert json.loads(json.dumps(keras.saving.serialize_keras_object(again)))["config"] == config["config"], name
        assert np.array_equal(to_numpy(layer(X)), to_numpy(again(X))), name
        assert np.array_equal(input_gradient(layer, X), input_gradient(again, X)), name
        shapes = [[(w.name, tuple(w.shape), w.trainable) for w in one.weights] for one in (layer, again)]
        assert shapes[0] == shapes[1], name


def check_weights_are_what_is_learned_and_annealed():
    found = {name: [(w.name, w.trainable) for w in layer.weights] for name, layer in layers().items()}
    assert found["learned"] == [("width", True)]
    assert sorted(found["learned, per column"]) == [("scale", True), ("width", True)]
    assert found["annealed"] == [("t", False)]
    assert found["name"] == found["proxy with a number"] == []


def check_symbolic_shapes():
    inputs = keras.Input((4,))
    for name, layer in layers().items():
        out = layer(inputs)
        assert (out.shape, out.dtype) == ((None, 4), "float32"), name
    images = keras.Input((8, 8, 3))
    assert layers()["name"](images).shape == (None, 8, 8, 3)


def check_mixed_precision():
    from straightthrough.keras import StraightThrough

    layer = StraightThrough("sign", "clipped_identity(width=2)", learn="width", dtype="mixed_bfloat16")
    out = layer(np.array([[258.0, -516.0, np.inf]], "float32"))
    assert keras.backend.standardize_dtype(out.dtype) == "bfloat16"
    assert to_numpy(out).tolist() == [[1.0, -1.0, 1.0]]
    assert layer.width.dtype == "float32"


def check_annealing_changes_the_slope():
    from straightthrough import proxies
    from straightthrough.keras import StraightThrough

    layer = StraightThrough("sign", proxies.clipped_identity(width=keras.ops.convert_to_tensor(1.0)))
    passed = []
    for width in (1.0, 2.0, 6.0):
        layer.width.assign(width)
        passed.append(int(np.count_nonzero(input_gradient(layer, X))))
    assert passed == [5, 6, 8], passed


def check_two_tensors():
    from straightthrough.keras import StraightThrough

    layer = StraightThrough("greater")
    a, b = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([a, b], layer(a, b))
    assert to_numpy(model([X, X[::-1]])).tolist() == (X[::-1] < X).tolist()


def check_fit_trains_through_the_layer():
    from straightthrough.keras import StraightThrough

    keras.utils.set_random_seed(0)
    first = keras.layers.Dense(8)
    binary = StraightThrough("sign", "clipped_identity(width=0.5)", learn="width")
    noisy = StraightThrough("stochastic_round")
    model = keras.Sequential([keras.Input((4,)), first, binary, noisy, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.05), "mse")
    x = np.random.default_rng(0).standard_normal((64, 4)).astype("float32")
    before = [w.numpy().copy() for w in (first.kernel, binary.width)]
    losses = model.fit(x, x[:, :1], epochs=3, verbose=0).history["loss"]
    after = [w.numpy() for w in (first.kernel, binary.width)]
    assert losses[-1] < losses[0]
    assert all((a != b).any() for a, b in zip(before, after, strict=True)), "no gradient has reached them"


def check_stochastic_round_draws_anew():
    from straightthrough.keras import StraightThrough

    layer, half = StraightThrough("stochastic_round"), np.full((1, 64), 0.5, "float32")
    assert not np.array_equal(to_numpy(layer(half)), to_numpy(layer(half)))


def model_to_save():
    inputs = keras.Input((4,))
    x, kept = inputs, ["name", "own function", "own operation", "level", "learned, per column", "annealed"]
    for name in kept:
        x = layers()[name](keras.layers.Dense(4)(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def save(folder: pathlib.Path) -> None:
    keras.utils.set_random_seed(0)
    model = model_to_save()
    model.compile("adam", "mse")
    model.fit(X, X[:, :2], epochs=1, verbose=0)
    model.save(folder / "model.keras")
    np.save(folder / "outputs.npy", model.predict(X, verbose=0))
    if BACKEND == "tensorflow":
        plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4), layers()["learned"]])
        plain.export(folder / "exported", verbose=False)
        archive = keras.export.ExportArchive()
        archive.track(plain)
        signature = [keras.InputSpec(shape=(None, 4), dtype="float32")]
        archive.add_endpoint("serve", lambda x: plain(x, training=False), input_signature=signature)
        archive.write_out(folder / "inference", verbose=False)
        np.save(folder / "exported.npy", plain.predict(X, verbose=0))


def operators_reached(graph) -> set[str]:
    """The operations that a graph runs, through the functions that it calls (the file holds those for training too)."""
    functions = {one.signature.name: one.node_def for one in graph.library.function}
    found, waiting, seen = set(), [graph.node], set()
    while waiting:
        for node in waiting.pop():
            found.add(node.op)
            called = {value.func.name for value in node.attr.values() if value.func.name} - seen
            seen |= called
            waiting += [functions[name] for name in called if name in functions]
    return found


def load(folder: pathlib.Path) -> dict:
    """Whether the files give the saved outputs, bitwise, before and after our library is imported."""
    found = {}
    if BACKEND == "tensorflow":
        import tensorflow as tf

        for kind in ("exported", "inference"):
            served = tf.saved_model.load(str(folder / kind))
            found[kind] = bool((served.serve(X).numpy() == np.load(folder / "exported.npy")).all())
            graph = served.signatures["serve"].graph.as_graph_def()
            found[f"operators {kind}"] = sorted(operators_reached(graph))
        found["library loaded"] = "straightthrough" in sys.modules
    try:
        keras.saving.load_model(folder / "model.keras")
        found["without import"] = "loaded"
    except TypeError as error:
        found["without import"] = "Could not locate class 'StraightThrough'" in str(error)
    import straightthrough.keras  # noqa: F401

    global relu_spike
    relu_spike = register_relu_spike()
    model = keras.saving.load_model(folder / "model.keras")
    found["same"] = bool(np.array_equal(model.predict(X, verbose=0), np.load(folder / "outputs.npy")))
    return found


def check(folder: pathlib.Path) -> dict:
    found = {}
    for name, function in list(globals().items()):
        if name.startswith("check_"):
            try:
                function()
                found[name] = "ok"
            except Exception:
                found[name] = traceback.format_exc()
    save(folder)
    return found


if __name__ == "__main__":
    warnings.simplefilter("error")
    # Keras' own: its variables have no `copy` in __array__, and numpy 2 says so.
    warnings.filterwarnings("ignore", message=".*doesn't accept a copy keyword")
    task, *rest = sys.argv[1:]
    if task != "load":
        relu_spike = register_relu_spike()
    print("\n" + json.dumps({"check": check, "load": load}[task](*map(pathlib.Path, rest))))
