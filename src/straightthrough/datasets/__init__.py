"""Small image data sets for the demo and the experiments: from a folder, from the cache, or downloaded and checked.

`digits` comes with scikit-learn. The others are read from a folder that holds either the official files (IDX files for
MNIST and Fashion-MNIST, the binary version of CIFAR-10; no pickles, which could run code) or one `NAME.npz`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from straightthrough._errors import ArgumentError, DataError, MissingDependencyError, UnknownNameError, nearest, wrong
from straightthrough.datasets import download, official, prepared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from straightthrough.datasets.official import Raw

__all__ = ["Dataset", "load", "names"]

_DIGITS = tuple(str(digit) for digit in range(10))
_CLASSES = {
    "digits": _DIGITS,
    "mnist": _DIGITS,
    "fashion_mnist": (
        "T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
    ),
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
}  # fmt: skip
_TITLES = {"digits": "digits", "mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels, split into train and test.

    Attributes:
        name: "digits", "mnist", "fashion_mnist" or "cifar10".
        x_train, x_test: float32 in [0, 1], shape (n, height, width), or (n, height, width, 3) in colour.
        y_train, y_test: int64 labels, shape (n,).
        classes: the name of each label.
        note: which data these are, in one line to print with every figure.
    """

    name: str
    x_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    x_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    note: str


def names() -> list[str]:
    """The names that `load` takes."""
    return list(_CLASSES)


def load(
    name: str, data_dir: str | os.PathLike[str] | None = None, *, train: int | None = None, test: int | None = None
) -> Dataset:
    """Loads a data set.

    Args:
        name: one of `names()`.
        data_dir: a folder with the files, itself or in a folder `name` inside it. Without it: the cache
            (environment variable STRAIGHTTHROUGH_DATA, or the platform's cache folder), filled by a download if it is
            empty. Not used for digits.
        train, test: keep only this many images, the first ones.

    Returns:
        A Dataset; its note says which data and how many.

    Raises:
        UnknownNameError: no such data set.
        DataError: files are missing, damaged or of another shape, or the download failed; says how to get them.
        MissingDependencyError: numpy, scikit-learn (digits) or Pillow (CIFAR-10 as JPEG) is not installed.

    Example:
        >>> load("digits").note
        'digits: 1433 train, 364 test, 8x8; scikit-learn, every fifth image of each class is test'
    """
    if name not in _CLASSES:
        raise UnknownNameError(wrong("load", "name", "a data set", repr(name), nearest(name, _CLASSES)))
    for argument, limit in (("train", train), ("test", test)):
        if limit is not None and limit < 1:
            raise ArgumentError(wrong("load", argument, "a number of images, 1 or more, or None", repr(limit)))
    try:
        import numpy as np
    except ImportError as error:
        raise MissingDependencyError("load: needs numpy; pip install 'straightthrough[demo]'") from error

    raw = _digits() if name == "digits" else _from_files(name, data_dir, train, test)
    _check(name, raw)
    x_train, y_train, x_test, y_test = (
        part[:limit] for part, limit in zip(raw.arrays, (train, train, test, test), strict=True)
    )
    top = np.float32(16 if name == "digits" else 255)
    return Dataset(
        name=name,
        x_train=x_train.astype(np.float32) / top,
        y_train=y_train.astype(np.int64),
        x_test=x_test.astype(np.float32) / top,
        y_test=y_test.astype(np.int64),
        classes=_CLASSES[name],
        note=_note(name, raw, len(y_train), len(y_test)),
    )


def _digits() -> Raw:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingDependencyError("load: digits needs scikit-learn; pip install 'straightthrough[demo]'") from error
    import numpy as np

    x, y = load_digits(return_X_y=True)
    x = x.reshape(-1, 8, 8).astype(np.uint8)
    # The images stand in the order of their writers; every fifth one of a class gives both parts the same writers and
    # classes, without a random generator that another version could change.
    held_out = np.zeros(len(y), bool)
    for digit in range(10):
        held_out[np.flatnonzero(y == digit)[::5]] = True
    arrays = (x[~held_out], y[~held_out], x[held_out], y[held_out])
    return official.Raw(arrays, origin="scikit-learn", remark="scikit-learn, every fifth image of each class is test")


def _from_files(name: str, data_dir: str | os.PathLike[str] | None, train: int | None, test: int | None) -> Raw:
    if data_dir is None:
        folder = download.cache_folder()
        raw = _from_cache(name, folder, train, test)
    else:
        folder = Path(data_dir)
        if not folder.is_dir():
            raise DataError(f"load: data_dir {folder} is not a folder; {_how_to_get(name)}")
        raw = _find(name, folder, train, test)
    if raw is None:
        raise DataError(f"load: no {_TITLES[name]} in {folder}; {_how_to_get(name)}")
    return raw


def _from_cache(name: str, folder: Path, train: int | None, test: int | None) -> Raw | None:
    own = any((place / f"{name}.npz").is_file() for place in (folder, folder / name))
    try:
        raw = _find(name, folder, train, test)
    except DataError:
        if own:  # the user's file: a download would not be looked at
            raise
        raw = None  # an earlier download stopped half way, or the disk lost some of it
    if raw is None:
        download.fetch(name, folder / name)
        raw = _find(name, folder, train, test)
    return raw


def _find(name: str, folder: Path, train: int | None, test: int | None) -> Raw | None:
    for place in (folder, folder / name):
        if (place / f"{name}.npz").is_file():
            return prepared.read(name, place / f"{name}.npz", train, test, _how_to_get(name))
    # The official files of MNIST and Fashion-MNIST have the same names: the folder's own name has to tell them apart.
    for place in (folder / name, folder):
        if name == "cifar10":
            raw = official.read_cifar10(place, _how_to_get(name))
        else:
            raw = official.read_idx(name, place, _how_to_get(name))
        if raw is not None:
            return raw
    return None


def _how_to_get(name: str) -> str:
    files = "the six files cifar-10-batches-bin/*.bin" if name == "cifar10" else "the four official *-ubyte[.gz] files"
    where = download.PAGES[name]
    return f"put {files} (from {where}) or {name}.npz there, or leave data_dir out to download them"


def _check(name: str, raw: Raw) -> None:
    size = {"digits": (8, 8), "mnist": (28, 28), "fashion_mnist": (28, 28), "cifar10": (32, 32, 3)}[name]
    for part, x, y in (("train", *raw.arrays[:2]), ("test", *raw.arrays[2:])):
        if x.shape[1:] != size or y.shape != x.shape[:1] or not len(y):
            raise DataError(
                f"load: {part} of {raw.origin} must have shape (n, {', '.join(map(str, size))}) and n labels, got "
                f"{tuple(x.shape)} and {tuple(y.shape)}; {_how_to_get(name)}"
            )
        if name != "digits" and (x.dtype.name != "uint8" or y.dtype.kind not in "iu"):
            raise DataError(
                f"load: {part} of {raw.origin} must hold uint8 images and integer labels, got {x.dtype} and {y.dtype}; "
                f"{_how_to_get(name)}"
            )
        if y.min() < 0 or y.max() > 9:
            raise DataError(
                f"load: labels of {raw.origin} must be 0 to 9, got {y.min()} to {y.max()}; {_how_to_get(name)}"
            )


def _note(name: str, raw: Raw, train: int, test: int) -> str:
    of = [f" of {whole}" if whole != used else "" for used, whole in zip((train, test), raw.whole, strict=True)]
    size = "x".join(str(n) for n in raw.arrays[0].shape[1:3])
    kind = f"; {raw.remark}" if raw.remark else ""
    return f"{_TITLES[name]}: {train}{of[0]} train, {test}{of[1]} test, {size}{kind}"
