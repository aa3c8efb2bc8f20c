"""Data sets: official and prepared files, and every way in which they can be wrong."""

import gzip
import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dataset_files import PARTS, assert_parts, cifar_records, idx, images, labels, write_idx
from straightthrough._errors import ArgumentError, DataError, MissingDependencyError, UnknownNameError
from straightthrough.datasets import load
from straightthrough.datasets.official import CIFAR10_FILES, IDX_FILES

np = pytest.importorskip("numpy")

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"


def real(file: str) -> Path:
    if not (REAL / file).is_file():
        pytest.skip(f"{file} is not in the shared data folder beside this checkout")
    return REAL


# --- digits ---------------------------------------------------------------------------------------------------------


def test_digits() -> None:
    pytest.importorskip("sklearn")
    data = load("digits")
    assert data.x_train.shape == (1433, 8, 8)
    assert data.x_test.shape == (364, 8, 8)
    assert data.x_train.dtype == np.float32
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert data.note == "digits: 1433 train, 364 test, 8x8; scikit-learn, every fifth image of each class is test"
    assert np.bincount(data.y_test).tolist() == [36, 37, 36, 37, 37, 37, 37, 36, 35, 36]
    # The split is part of every published figure: it must never change.
    assert data.y_test[:20].tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 5, 9, 0, 7, 8, 2, 1, 3, 6, 4]
    assert data.x_test.sum(dtype=np.float64) == 7097.0625
    assert len(data.classes) == 10


def test_limits() -> None:
    pytest.importorskip("sklearn")
    data = load("digits", train=100, test=7)
    assert (len(data.x_train), len(data.y_train), len(data.x_test), len(data.y_test)) == (100, 100, 7, 7)
    assert data.note.startswith("digits: 100 of 1433 train, 7 of 364 test")
    with pytest.raises(ArgumentError, match="load: train must be a number of images, 1 or more, or None, got 0"):
        load("digits", train=0)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(
        UnknownNameError, match=r"load: name must be a data set, got 'fashion-mnist'; did you mean 'fashion_mnist'"
    ):
        load("fashion-mnist")


@pytest.mark.parametrize(("missing", "name"), [("numpy", "mnist"), ("sklearn.datasets", "digits")])
def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, missing: str, name: str) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'straightthrough\[demo\]'"):
        load(name)


# --- official files -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [None, gzip.compress])
@pytest.mark.parametrize("inside", [".", "mnist"])
def test_idx(tmp_path: Path, pack: Callable[[bytes], bytes] | None, inside: str) -> None:
    write_idx(tmp_path / inside, pack)
    data = load("mnist", tmp_path)
    assert_parts(data)
    assert data.note == "MNIST: 30 train, 20 test, 28x28"


def test_each_name_has_its_own_folder(tmp_path: Path) -> None:
    write_idx(tmp_path)
    write_idx(tmp_path / "fashion_mnist")
    (tmp_path / "fashion_mnist" / IDX_FILES[1]).write_bytes(idx(labels(30)[::-1]))
    assert load("mnist", tmp_path).y_train[0] == 0
    assert load("fashion_mnist", tmp_path).y_train[0] == 9


@pytest.mark.parametrize("balanced", [True, False])
def test_mnist_is_not_taken_for_fashion_mnist(tmp_path: Path, balanced: bool) -> None:
    write_idx(tmp_path)
    y = labels(60000)
    y[0] = 0 if balanced else 1
    (tmp_path / IDX_FILES[0]).write_bytes(idx(np.zeros((60000, 28, 28), np.uint8)))
    (tmp_path / IDX_FILES[1]).write_bytes(idx(y))
    right, wrong = ("fashion_mnist", "mnist") if balanced else ("mnist", "fashion_mnist")
    assert load(right, tmp_path, train=5).note.startswith(("MNIST: 5 of 60000", "Fashion-MNIST: 5 of 60000"))
    with pytest.raises(DataError, match=f"must be {wrong}, got those of {right}"):
        load(wrong, tmp_path)


@pytest.mark.parametrize("inside", [".", "cifar-10-batches-bin", "cifar10", "cifar10/cifar-10-batches-bin"])
def test_cifar10_binary(tmp_path: Path, inside: str) -> None:
    folder = tmp_path / inside
    folder.mkdir(parents=True, exist_ok=True)
    parts = [cifar_records(count) for count in (10, 11, 12, 13, 14, 15)]
    for file, (_, content) in zip(CIFAR10_FILES, parts, strict=True):
        (folder / file).write_bytes(content)
    data = load("cifar10", tmp_path)
    np.testing.assert_array_equal(data.x_train, np.concatenate([x for x, _ in parts[:5]]).astype(np.float32) / 255)
    np.testing.assert_array_equal(data.x_test, parts[5][0].astype(np.float32) / 255)
    assert data.y_test.tolist() == [*range(10), *range(5)]
    assert data.note == "CIFAR-10: 60 train, 15 test, 32x32"


def test_no_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no MNIST in {tmp_path}; put the four official .* or leave data_dir out"):
        load("mnist", tmp_path)
    with pytest.raises(DataError, match=r"data_dir .*nowhere is not a folder; put the six files"):
        load("cifar10", tmp_path / "nowhere")


def test_one_file_missing(tmp_path: Path) -> None:
    write_idx(tmp_path)
    (tmp_path / IDX_FILES[3]).unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte of mnist"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        (0, lambda content: content[:-1], r"must have 23520 bytes after its head, got 23519: it is cut short"),
        (0, lambda content: content + b"\0", r"must have 23520 bytes after its head, got 23521"),
        (1, lambda content: b"<html>" + content, r"must be an IDX file of bytes with 1 dimensions"),
        (0, lambda content: b"", r"must be an IDX file of bytes with 3 dimensions"),
        (1, lambda content: idx(labels(29)), r"shape \(n, 28, 28\) and n labels, got \(30, 28, 28\) and \(29,\)"),
        (0, lambda content: idx(images(30, 27, 28)), r"shape \(n, 28, 28\) and n labels, got \(30, 27, 28\)"),
        (1, lambda content: idx(labels(30) + 5), r"labels of .* must be 0 to 9, got 5 to 14"),
    ],
)
def test_damaged_idx(tmp_path: Path, file: int, damage: Callable[[bytes], bytes], said: str) -> None:
    path = write_idx(tmp_path) / IDX_FILES[file]
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=said + r"(?s:.*)put the four official"):
        load("mnist", tmp_path)


@pytest.mark.parametrize(
    "damage", [lambda packed: packed[:-9], lambda packed: b"not gzip", lambda packed: packed[:50] + b"\xff" * 9]
)
def test_damaged_gz(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    write_idx(tmp_path, lambda content: damage(gzip.compress(content)))
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz is damaged or cut short"):
        load("mnist", tmp_path)


def test_damaged_cifar10(tmp_path: Path) -> None:
    for file in CIFAR10_FILES:
        (tmp_path / file).write_bytes(cifar_records(3)[1][:-1])
    with pytest.raises(DataError, match=r"data_batch_1.bin must hold whole records of 3073 bytes, got 9218"):
        load("cifar10", tmp_path)
    (tmp_path / "test_batch.bin").unlink()
    with pytest.raises(DataError, match=r"lacks test_batch.bin of cifar10"):
        load("cifar10", tmp_path)


# --- prepared files -------------------------------------------------------------------------------------------------

KEYS = ("x_train", "y_train", "x_test", "y_test")


def test_npz(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "mnist.npz", **dict(zip(KEYS, PARTS, strict=True)))
    assert_parts(load("mnist", tmp_path))
    np.savez(tmp_path / "fashion_mnist.npz", **dict(zip(KEYS, PARTS, strict=True)), index_train=labels(30))
    assert load("fashion_mnist", tmp_path).note == (
        "Fashion-MNIST: 30 train, 20 test, 28x28; a subset of the official 60000 and 10000"
    )


@pytest.mark.parametrize("keep", [0, 10, 200, 5000, -30, -200])
def test_truncated_npz(tmp_path: Path, keep: int) -> None:
    np.savez_compressed(tmp_path / "mnist.npz", **dict(zip(KEYS, PARTS, strict=True)))
    whole = (tmp_path / "mnist.npz").read_bytes()
    (tmp_path / "mnist.npz").write_bytes(whole[:keep])
    with pytest.raises(DataError, match=r"mnist.npz is damaged or cut short .*put the four official"):
        load("mnist", tmp_path)


def test_flipped_byte_in_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", **dict(zip(KEYS, PARTS, strict=True)))
    content = bytearray((tmp_path / "mnist.npz").read_bytes())
    content[5000] ^= 1
    (tmp_path / "mnist.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"damaged or cut short .*CRC"):
        load("mnist", tmp_path)


def test_npz_of_other_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", x_train=PARTS[0])
    with pytest.raises(DataError, match="has no array 'y_train"):
        load("mnist", tmp_path)
    np.savez(tmp_path / "mnist.npz", **dict(zip(KEYS, (PARTS[0] / 255, *PARTS[1:]), strict=True)))
    with pytest.raises(DataError, match="must hold uint8 images and integer labels, got float64 and uint8"):
        load("mnist", tmp_path)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "mnist.npz", **dict(zip(KEYS, (np.array([print], object), *PARTS[1:]), strict=True)))
    with pytest.raises(DataError, match=r"damaged or cut short .*pickle"):
        load("mnist", tmp_path)


def jpeg(count: int) -> "dict[str, np.ndarray]":
    image = pytest.importorskip("PIL.Image")
    arrays = {}
    for part in ("train", "test"):
        files = []
        for k in range(count):
            buffer = io.BytesIO()
            image.fromarray(np.full((32, 32, 3), 10 * k, np.uint8)).save(buffer, "JPEG", quality=87)
            files.append(buffer.getvalue())
        arrays[f"{part}_jpeg"] = np.frombuffer(b"".join(files), np.uint8)
        arrays[f"{part}_offset"] = np.cumsum([0, *map(len, files)]).astype(np.uint32)
        arrays[f"{part}_label"] = labels(count)
    return arrays


def test_cifar10_as_jpeg(tmp_path: Path) -> None:
    np.savez(tmp_path / "cifar10.npz", **jpeg(6))
    data = load("cifar10", tmp_path, train=4)
    assert data.note == "CIFAR-10: 4 of 6 train, 6 test, 32x32; JPEG q87, not the lossless original"
    np.testing.assert_allclose(data.x_train[:, 0, 0, 0], np.array([0, 10, 20, 30]) / 255, atol=1.5 / 255)


def test_damaged_jpeg(tmp_path: Path) -> None:
    arrays = jpeg(6)
    broken = arrays["test_jpeg"].copy()
    broken[arrays["test_offset"][2] :] = 0
    np.savez(tmp_path / "cifar10.npz", **{**arrays, "test_jpeg": broken})
    with pytest.raises(DataError, match=r"image 2 of .*cifar10.npz is damaged"):
        load("cifar10", tmp_path)
    np.savez(tmp_path / "cifar10.npz", **{**arrays, "test_jpeg": broken[:-5]})
    with pytest.raises(DataError, match="test_offset and test_jpeg that do not fit together"):
        load("cifar10", tmp_path)


# --- the real files, where they are ---------------------------------------------------------------------------------


def test_real_mnist() -> None:
    data = load("mnist", real("mnist.npz"))
    assert data.note == "MNIST: 60000 train, 10000 test, 28x28"
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # Put back into the official form, the test labels have the MD5 that is published for them.
    again = idx(data.y_test.astype(np.uint8))
    assert hashlib.md5(again).hexdigest() == "27ae3e4e09519cfbb04c329615203637"
    pixels = idx(np.rint(data.x_test * 255).astype(np.uint8))
    assert hashlib.md5(pixels).hexdigest() == "2646ac647ad5339dbf082846283269ea"


def test_real_fashion_mnist() -> None:
    data = load("fashion_mnist", real("fashion_mnist.npz"))
    assert data.note == "Fashion-MNIST: 20000 train, 8000 test, 28x28; a subset of the official 60000 and 10000"
    assert np.bincount(data.y_train).tolist() == [2000] * 10
    assert data.classes[9] == "ankle boot"


def test_real_cifar10() -> None:
    pytest.importorskip("PIL")
    data = load("cifar10", real("cifar10.npz"), train=200, test=100)
    assert data.note == "CIFAR-10: 200 of 50000 train, 100 of 8000 test, 32x32; JPEG q87, not the lossless original"
    assert data.x_train.shape == (200, 32, 32, 3)
    assert np.bincount(data.y_train).tolist() == [20] * 10
    assert 0.4 < data.x_train.mean() < 0.55
