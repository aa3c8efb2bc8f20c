"""Downloads with checksums, into a cache; what did not arrive whole never gets its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tarfile
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

from straightthrough._errors import DataError
from straightthrough.datasets.official import CIFAR10_FILES, CIFAR10_FOLDER
from straightthrough.report import write_bytes


class Source(NamedTuple):
    """One file to download: its name, the MD5 that its authors publish, the folders of the web that have it."""

    file: str
    md5: str
    mirrors: tuple[str, ...]


# Every address that this package ever asks.
_MNIST = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")
_FASHION = (
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",  # no https there: the checksum guards it
)
_CIFAR10 = ("https://www.cs.toronto.edu/~kriz/",)
PAGES = {
    "mnist": "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "fashion_mnist": "https://github.com/zalandoresearch/fashion-mnist",
    "cifar10": "https://www.cs.toronto.edu/~kriz/cifar.html",
}
SOURCES: dict[str, tuple[Source, ...]] = {
    "mnist": (
        Source("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873", _MNIST),
        Source("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432", _MNIST),
        Source("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3", _MNIST),
        Source("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c", _MNIST),
    ),
    "fashion_mnist": (
        Source("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", _FASHION),
        Source("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", _FASHION),
        Source("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", _FASHION),
        Source("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", _FASHION),
    ),
    "cifar10": (Source("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", _CIFAR10),),
}
_SECONDS = 30.0  # without a byte


def cache_folder() -> Path:
    """Where downloads are kept: STRAIGHTTHROUGH_DATA, else the platform's folder for caches."""
    chosen = os.environ.get("STRAIGHTTHROUGH_DATA")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "straightthrough" / "data"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "straightthrough" / "data"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "straightthrough" / "data"


def fetch(name: str, folder: Path) -> None:
    """Downloads the official files of a data set that are not in the folder yet.

    Raises:
        DataError: no mirror gave a file with the right checksum, or it cannot be written.
    """
    for source in SOURCES[name]:
        target = folder / source.file
        if target.is_file() and _md5(target.read_bytes()) == source.md5:
            continue
        write_bytes(target, _from_mirrors(name, source))
        if name == "cifar10":
            _unpack_cifar10(target, folder / CIFAR10_FOLDER)


def _from_mirrors(name: str, source: Source) -> bytes:
    failures = []
    for mirror in source.mirrors:
        address = mirror + source.file
        print(f"downloading {address}", file=sys.stderr)
        try:
            with urllib.request.urlopen(address, timeout=_SECONDS) as answer:
                content: bytes = answer.read()
        except (OSError, HTTPException) as error:
            failures.append(f"{address}: {error or type(error).__name__}")
            continue
        found = _md5(content)
        if found == source.md5:
            return content
        failures.append(f"{address}: MD5 must be {source.md5}, got {found} ({len(content)} bytes)")
    raise DataError(
        f"load: could not download {source.file} of {name} ({'; '.join(failures)}); try again later, or get the files "
        f"from {PAGES[name]} another way and name their folder with data_dir"
    )


def _unpack_cifar10(archive: Path, folder: Path) -> None:
    try:
        with tarfile.open(archive) as tar:
            for file in CIFAR10_FILES:
                # Read by name, never extracted: a path inside the archive cannot lead anywhere.
                member = tar.extractfile(f"{CIFAR10_FOLDER}/{file}")
                if member is None:
                    raise KeyError(file)
                write_bytes(folder / file, member.read())
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise DataError(f"load: {archive} is damaged ({error}); delete it and try again") from error
    with contextlib.suppress(OSError):
        archive.unlink()  # 170 MB that nobody reads again


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
