"""Training a network with binary hidden units in Keras: the `StraightThrough` layer where the operator stands.

Run it: ``KERAS_BACKEND=torch python examples/layers_keras.py``, or with tensorflow or jax. Its proxy has a width,
which is trained with the weights. The saved file loads without ``custom_objects`` wherever `straightthrough.keras` is
imported.
"""

import pathlib
import tempfile

import keras
import numpy as np

from straightthrough.keras import StraightThrough


def main(epochs: int = 60) -> dict:
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).standard_normal((256, 2)).astype("float32")
    target = (x[:, :1] * x[:, 1:] > 0).astype("float32")  # same sign or not: one layer alone cannot tell
    binary = StraightThrough("sign", proxy="clipped_identity(width=1)", learn="width")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(16), binary, keras.layers.Dense(1)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    losses = model.fit(x, target, batch_size=64, epochs=epochs, verbose=0).history["loss"]
    logits = model.predict(x, verbose=0)  # inference: the layer is the sign and nothing else
    accuracy = float(((logits > 0) == (target > 0)).mean())
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "binary.keras")
        model.save(path)
        same = bool((keras.saving.load_model(path).predict(x, verbose=0) == logits).all())
    width = float(binary.width.numpy())
    backend = keras.backend.backend()
    print(f"{backend}: loss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracy:.2f}, width {width:.2f}")
    print("saved and loaded again, the outputs are", "bitwise the same" if same else "others")
    return {"first": losses[0], "last": losses[-1], "accuracy": accuracy, "width": width, "same": same}


if __name__ == "__main__":
    main()
