"""Files that are either the old one or the new one, never half of each."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
from pathlib import Path
from typing import Any

from straightthrough._errors import ArgumentError, DataError

_NO_SPACE = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT}


def write_bytes(path: str | os.PathLike[str], content: bytes) -> Path:
    """Writes a file aside, forces it to the disk, and renames it into place.

    Args:
        path: the file; its folder is made if it is missing.
        content: all of it.

    Returns:
        The path.

    Raises:
        DataError: the disk is full or the file cannot be written; an older file is still whole.
    """
    target = Path(path)
    aside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # Not tempfile: its files are readable by their owner alone, and a report is for others.
        with open(aside, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
        sync_folder(target.parent)
    except OSError as error:
        raise cannot_write(target, error, "the file that was there before is unchanged") from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()
    return target


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes text as UTF-8, like `write_bytes`."""
    return write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], data: Any) -> Path:
    """Writes plain data as JSON that every parser reads, like `write_bytes`.

    JSON has no nan or infinity: they are written as the texts "nan", "inf" and "-inf".

    Raises:
        ArgumentError: the data hold something that JSON cannot say.
        DataError: as for `write_bytes`.
    """
    try:
        text = json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"write_json: data must be plain data (dict, list, str, number, bool, None): {error}"
        ) from error
    return write_text(path, text + "\n")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Raises:
        DataError: it is missing or damaged.
    """
    try:
        return json.loads(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"read_json: there is no file {os.fspath(path)}") from error
    except ValueError as error:
        raise DataError(f"read_json: {os.fspath(path)} is damaged: {error}") from error


def sync_folder(folder: Path) -> None:
    """Forces a rename to the disk, where the system can (Windows cannot open a folder)."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def cannot_write(path: Path, error: OSError, consolation: str) -> DataError:
    """The error for a file that could not be written: names it, the free space, and what is still safe."""
    import shutil

    try:
        free = f"{shutil.disk_usage(path.parent).free / 1e6:,.1f} MB free in {path.parent}"
    except OSError:
        free = f"free space in {path.parent} unknown"
    if error.errno in _NO_SPACE:
        what = f"no space left for {path} ({error.strerror}; {free})"
        remedy = "make room and run the same command again"
    else:
        what = f"cannot write {path} ({error.strerror or error}; {free})"
        remedy = "check the folder and its permissions"
    return DataError(f"report: {what}; {consolation}; {remedy}")


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return str(float(data))
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return data
