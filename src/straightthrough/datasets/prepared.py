"""One `.npz` per data set: plain arrays, or JPEG files end to end for CIFAR-10. Pickled arrays are refused."""

from __future__ import annotations

import io
import itertools
import lzma
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from straightthrough._errors import DataError, MissingDependencyError
from straightthrough.datasets.official import Raw

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What zipfile, its decompressors and numpy raise at damaged bytes.
_DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, ValueError, OSError, NotImplementedError)


def read(name: str, path: Path, train: int | None, test: int | None, how: str) -> Raw:
    """Reads `x_train, y_train, x_test, y_test`, or for CIFAR-10 also `S_jpeg, S_offset, S_label` of S = train, test.

    Args:
        name: of the data set.
        path: the file.
        train, test: how many images are wanted; JPEGs beyond are not decoded.
        how: says in an error how to get the file.

    Raises:
        DataError: the file is damaged, cut short, or has other keys.
        MissingDependencyError: Pillow is needed for the JPEGs.
    """
    import numpy as np

    try:
        # Opened here: numpy leaves a file open when it turns out to be damaged.
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            keys = set(archive.files)
            if name == "cifar10" and "train_jpeg" in keys:
                return _from_jpeg(archive, path, {"train": train, "test": test}, how)
            x, y, test_x, test_y = (archive[key] for key in ("x_train", "y_train", "x_test", "y_test"))
    except KeyError as error:
        raise DataError(f"load: {path} has no array {error}; {how}") from error
    except _DAMAGED as error:
        raise DataError(f"load: {path} is damaged or cut short ({error}); {how}") from error
    if name == "cifar10":  # Keras' arrays of CIFAR-10 have labels of shape (n, 1)
        y, test_y = y.reshape(-1), test_y.reshape(-1)
    remark = "a subset of the official 60000 and 10000" if "index_train" in keys else ""
    return Raw((x, y, test_x, test_y), origin=str(path), remark=remark)


def _from_jpeg(archive: Mapping[str, Any], path: Path, limits: dict[str, int | None], how: str) -> Raw:
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise MissingDependencyError(f"load: the JPEGs of {path} need Pillow; pip install pillow") from error
    images: dict[str, NDArray[np.uint8]] = {}
    labels: dict[str, NDArray[np.uint8]] = {}
    sizes: dict[str, int] = {}
    for part, limit in limits.items():
        data, offset, label = (archive[f"{part}_{key}"] for key in ("jpeg", "offset", "label"))
        if len(offset) != len(label) + 1 or int(offset[-1]) != len(data):
            raise DataError(f"load: {path} has {part}_offset and {part}_jpeg that do not fit together; {how}")
        sizes[part] = len(label)
        labels[part] = label[:limit]
        images[part] = _decode(data.tobytes(), offset[: len(labels[part]) + 1].tolist(), path, how)
    arrays = (images["train"], labels["train"], images["test"], labels["test"])
    remark = "JPEG q87, not the lossless original"
    return Raw(arrays, origin=str(path), remark=remark, sizes=(sizes["train"], sizes["test"]))


def _decode(data: bytes, offsets: list[int], path: Path, how: str) -> NDArray[np.uint8]:
    import numpy as np
    from PIL import Image

    images = np.empty((len(offsets) - 1, 32, 32, 3), np.uint8)
    for place, (start, end) in enumerate(itertools.pairwise(offsets)):
        try:
            with Image.open(io.BytesIO(data[start:end]), formats=["JPEG"]) as image:
                images[place] = np.asarray(image)
        except (OSError, ValueError, SyntaxError) as error:
            raise DataError(f"load: image {place} of {path} is damaged ({error}); {how}") from error
    return images
