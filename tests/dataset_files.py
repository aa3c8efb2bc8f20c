"""Invented data in the official forms, as the tests of the data sets need them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from straightthrough import datasets
from straightthrough.datasets.official import IDX_FILES

np = pytest.importorskip("numpy")


def images(count: int, *size: int) -> "np.ndarray":
    return np.random.RandomState(count).randint(0, 256, (count, *size)).astype(np.uint8)


def labels(count: int) -> "np.ndarray":
    return (np.arange(count) % 10).astype(np.uint8)


PARTS = (images(30, 28, 28), labels(30), images(20, 28, 28), labels(20))


def idx(array: "np.ndarray") -> bytes:
    head = bytes((0, 0, 8, array.ndim)) + b"".join(length.to_bytes(4, "big") for length in array.shape)
    return head + array.tobytes()


def write_idx(folder: Path, pack: Callable[[bytes], bytes] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file, array in zip(IDX_FILES, PARTS, strict=True):
        if pack is None:
            (folder / file).write_bytes(idx(array))
        else:
            (folder / f"{file}.gz").write_bytes(pack(idx(array)))
    return folder


def cifar_records(count: int) -> "tuple[np.ndarray, bytes]":
    x = images(count, 32, 32, 3)
    planes = x.transpose(0, 3, 1, 2).reshape(count, -1)
    return x, np.concatenate([labels(count)[:, None], planes], axis=1).tobytes()


def assert_parts(data: datasets.Dataset) -> None:
    x_train, y_train, x_test, y_test = PARTS
    np.testing.assert_array_equal(data.x_train, x_train.astype(np.float32) / 255)
    np.testing.assert_array_equal(data.x_test, x_test.astype(np.float32) / 255)
    np.testing.assert_array_equal(data.y_train, y_train)
    np.testing.assert_array_equal(data.y_test, y_test)
    assert data.x_train.dtype == np.float32
    assert data.y_train.dtype == np.int64
    assert data.x_train.max() <= 1
