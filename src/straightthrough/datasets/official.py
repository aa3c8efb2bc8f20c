"""The official files: IDX (MNIST, Fashion-MNIST) and the binary version of CIFAR-10."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from straightthrough._errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Four = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]

IDX_FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CIFAR10_FOLDER = "cifar-10-batches-bin"
CIFAR10_FILES = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")
_CIFAR10_RECORD = 1 + 3 * 32 * 32


@dataclass(frozen=True, eq=False)
class Raw:
    """A data set as it stands in its files: images as bytes, and where they come from."""

    arrays: Four  # train images and labels, test images and labels
    origin: str
    remark: str = ""
    sizes: tuple[int, int] | None = None  # of train and test in the file, where fewer were read

    @property
    def whole(self) -> tuple[int, int]:
        """How many train and test images the file has."""
        return self.sizes or (len(self.arrays[1]), len(self.arrays[3]))


def read_idx(name: str, folder: Path, how: str) -> Raw | None:
    """Reads the four IDX files of a folder, plain or gzipped.

    Returns:
        The data, or None where none of the four is there.

    Raises:
        DataError: some of the four are missing, or one is damaged. `how` says how to get it.
    """
    found = {file: path for file in IDX_FILES if (path := _plain_or_gz(folder / file)) is not None}
    if not found:
        return None
    missing = [file for file in IDX_FILES if file not in found]
    if missing:
        raise DataError(f"load: {folder} lacks {', '.join(missing)} of {name}; {how}")
    images, labels, test_images, test_labels = (
        _idx(found[file], 3 if "images" in file else 1, how) for file in IDX_FILES
    )
    if len(labels) == 60000 and _is_balanced(labels) != (name == "fashion_mnist"):
        # The files of the two have the same names and shapes; only Fashion-MNIST has 6000 of each class.
        other = "mnist" if name == "fashion_mnist" else "fashion_mnist"
        raise DataError(f"load: the files in {folder} must be {name}, got those of {other}; {how}")
    return Raw((images, labels, test_images, test_labels), origin=str(folder))


def _is_balanced(labels: NDArray[Any]) -> bool:
    import numpy as np

    return len(set(np.bincount(labels).tolist())) == 1


def _plain_or_gz(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.is_file() else packed if packed.is_file() else None


def _idx(path: Path, dimensions: int, how: str) -> NDArray[Any]:
    import numpy as np

    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"load: {path} is damaged or cut short ({error}); {how}") from error
    # two zero bytes, the type (8: unsigned bytes), the number of dimensions, then each length as a big-endian int32
    if content[:4] != bytes((0, 0, 8, dimensions)) or len(content) < 4 + 4 * dimensions:
        raise DataError(
            f"load: {path} must be an IDX file of bytes with {dimensions} dimensions, got other bytes; {how}"
        )
    shape = tuple(int.from_bytes(content[4 + 4 * k : 8 + 4 * k], "big") for k in range(dimensions))
    body = np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions)
    wanted = int(np.prod(shape, dtype=np.int64))
    if len(body) != wanted:
        raise DataError(
            f"load: {path} must have {wanted} bytes after its head, got {len(body)}: it is cut short; {how}"
        )
    return body.reshape(shape)


def read_cifar10(folder: Path, how: str) -> Raw | None:
    """Reads the six `.bin` files of a folder, or of `cifar-10-batches-bin` inside it.

    Returns:
        The data, or None where none of the six is there.

    Raises:
        DataError: some of the six are missing, or one is damaged. `how` says how to get it.
    """
    import numpy as np

    for place in (folder / CIFAR10_FOLDER, folder):
        present = [file for file in CIFAR10_FILES if (place / file).is_file()]
        if not present:
            continue
        missing = [file for file in CIFAR10_FILES if file not in present]
        if missing:
            raise DataError(f"load: {place} lacks {', '.join(missing)} of cifar10; {how}")
        parts = [_cifar10_batch(place / file, how) for file in CIFAR10_FILES]
        x, y = (np.concatenate(halves) for halves in zip(*parts[:-1], strict=True))
        return Raw((x, y, *parts[-1]), origin=str(place))
    return None


def _cifar10_batch(path: Path, how: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    import numpy as np

    content = np.frombuffer(path.read_bytes(), np.uint8)
    if not len(content) or len(content) % _CIFAR10_RECORD:
        raise DataError(
            f"load: {path} must hold whole records of {_CIFAR10_RECORD} bytes, got {len(content)} bytes: "
            f"it is cut short; {how}"
        )
    records = content.reshape(-1, _CIFAR10_RECORD)
    # a label, then the red, the green and the blue plane
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, records[:, 0]
