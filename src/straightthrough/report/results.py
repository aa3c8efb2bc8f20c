"""A store of finished units of work: one JSON line each, appended, checked, and safe against a kill at any moment.

    {"sum":"2f1c6e0d9a7b4c58","record":{"format":"straightthrough","kind":"study","version":1}}
    {"sum":"91be0c44d1f7a2e3","record":{"proxy":"identity","seed":0,"accuracy":0.97}}

The sum is taken over the kind and the bytes of the record, so that a record of another kind of file never passes for
one of this kind, and a flipped bit is seen. A record that holds nan has Python's token `NaN` in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from straightthrough._errors import ArgumentError, DataError
from straightthrough.report.locking import Lock
from straightthrough.report.writing import cannot_write, sync_folder, write_bytes

_FORMAT = "straightthrough"
_HEAD = b'{"sum":"%s","record":'
_HEAD_LENGTH = len(_HEAD) - 2 + 16


class DamagedRecordWarning(UserWarning):
    """A record of a results file was damaged and is left out."""


class _Content(NamedTuple):
    records: list[dict[str, Any]]
    damaged: list[int]  # line numbers, from 1
    whole: int  # bytes up to the end of the last complete line
    torn: bytes  # what follows it
    torn_record: dict[str, Any] | None  # the torn line, where only its end of line is missing


class Store:
    """Finished records of one kind, kept in one file that one process at a time may write.

    Args:
        path: the file; made, with its folder, when it is missing.
        kind: what the records are, for example "choose"; a file of another kind is refused.
        version: of the records' format; a file of another version is refused.

    Raises:
        DataError: another process has the store open; the file is of another kind or version; the disk is full.

    Example:
        >>> import tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "runs.jsonl")
        >>> with Store(path, kind="study") as store:
        ...     store.append({"proxy": "identity", "seed": 0, "accuracy": 0.97})
        >>> with Store(path, kind="study") as store:
        ...     store.records
        [{'proxy': 'identity', 'seed': 0, 'accuracy': 0.97}]
    """

    def __init__(self, path: str | os.PathLike[str], kind: str, version: int = 1) -> None:
        self.path = Path(path)
        self.kind = kind
        self.version = version
        self.damaged: list[int] = []
        self._records: list[dict[str, Any]] = []
        self._lock = Lock(self.path.with_name(self.path.name + ".lock"))
        self._writing = threading.Lock()
        self._handle: int | None = None

    @property
    def records(self) -> list[dict[str, Any]]:
        """The finished records, oldest first: a new list at each call."""
        return list(self._records)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(self.path, error, "nothing was written") from error
        self._lock.acquire(f"Store: {self.path}")
        try:
            self._open()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file and lets another process have it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._lock.release()

    def append(self, record: dict[str, Any]) -> None:
        """Adds one finished record; it is on the disk when this returns.

        Args:
            record: plain data with text keys; tuples come back as lists.

        Raises:
            ArgumentError: the record is not plain data, or the store is not open.
            DataError: the disk is full; the records saved before are whole, and the store can be used again.
        """
        if self._handle is None:
            raise ArgumentError(
                "Store.append: the store must be open, got a closed one; use `with Store(...) as store:`"
            )
        line, kept = self._line_of(record)
        with self._writing:
            self._write(self._handle, line)
            self._records.append(kept)

    def _line_of(self, record: dict[str, Any]) -> tuple[bytes, dict[str, Any]]:
        try:
            _check_keys(record)
            text = _encode(record)
            kept = json.loads(text)
        except (TypeError, ValueError) as error:
            raise ArgumentError(f"Store.append: record must be plain data with text keys: {error}") from error
        return _line(self.kind, text), kept

    def _write(self, handle: int, line: bytes) -> None:
        start = os.fstat(handle).st_size
        try:
            done = 0
            while done < len(line):
                done += os.write(handle, line[done:])
            os.fsync(handle)
        except BaseException as error:
            # Half a line may be there, from a full disk or from Ctrl-C: the next record must not be glued to it.
            with contextlib.suppress(OSError):
                os.ftruncate(handle, start)
            if isinstance(error, OSError):
                consolation = f"the {len(self._records)} records saved before are kept"
                raise cannot_write(self.path, error, consolation) from error
            raise

    def _open(self) -> None:
        if not self.path.exists() or self.path.stat().st_size == 0:
            header = {"format": _FORMAT, "kind": self.kind, "version": self.version}
            write_bytes(self.path, _line(self.kind, _encode(header)))
        content = _read(self.path, self.kind, self.version)
        self._records = content.records
        self.damaged = content.damaged
        flags = os.O_RDWR | os.O_APPEND | getattr(os, "O_BINARY", 0)
        try:
            self._handle = os.open(self.path, flags)
        except OSError as error:
            raise cannot_write(self.path, error, "nothing was changed") from error
        if content.torn_record is not None:
            self._write(self._handle, b"\n")
            self._records.append(content.torn_record)
        elif content.torn:
            self._set_aside(content)
        _warn_damaged(self.path, content.damaged, stacklevel=4)

    def _set_aside(self, content: _Content) -> None:
        assert self._handle is not None
        aside = self.path.with_name(self.path.name + ".torn")
        before = aside.read_bytes() if aside.exists() else b""
        write_bytes(aside, before + content.torn + b"\n")
        os.ftruncate(self._handle, content.whole)
        os.fsync(self._handle)
        sync_folder(self.path.parent)
        warnings.warn(
            f"Store: the last line of {self.path} was cut short (a run was killed while it wrote); it is set aside in "
            f"{aside.name} and its unit will run again; {len(content.records)} records are whole",
            DamagedRecordWarning,
            stacklevel=4,
        )


def read_records(path: str | os.PathLike[str], kind: str, version: int = 1) -> list[dict[str, Any]]:
    """The whole records of a store, without opening it for writing: also while a run holds it.

    Args:
        path, kind, version: as for `Store`.

    Raises:
        DataError: no such file, or of another kind or version.
    """
    if not Path(path).exists():
        raise DataError(
            f"read_records: there is no results file {os.fspath(path)}; check the path or run the study first"
        )
    content = _read(Path(path), kind, version)
    _warn_damaged(Path(path), content.damaged, stacklevel=3)
    return content.records + ([content.torn_record] if content.torn_record is not None else [])


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()


def _sum(kind: str, text: bytes) -> bytes:
    return hashlib.sha256(kind.encode() + b"\n" + text).hexdigest()[:16].encode()


def _line(kind: str, text: bytes) -> bytes:
    return _HEAD % _sum(kind, text) + text + b"}\n"


def _decode(kind: str, line: bytes) -> dict[str, Any] | None:
    """The record of a line, or None where its sum is wrong."""
    text = line[_HEAD_LENGTH:-1]
    if line != _HEAD % _sum(kind, text) + text + b"}":
        return None
    record = json.loads(text)
    return record if isinstance(record, dict) else None


def _check_keys(data: Any) -> None:
    """json writes the key 1 as "1" in silence; a resumed run would then look for the wrong one."""
    if isinstance(data, dict):
        for key, value in data.items():
            if not isinstance(key, str):
                raise TypeError(f"the key {key!r} is not a text")
            _check_keys(value)
    elif isinstance(data, list | tuple):
        for value in data:
            _check_keys(value)


def _read(path: Path, kind: str, version: int) -> _Content:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"Store: cannot read {path}: {error.strerror or error}") from error
    whole = raw.rfind(b"\n") + 1
    lines = raw[:whole].split(b"\n")[:-1]
    torn = raw[whole:]
    header_lost = _check_header(path, lines[0] if lines else b"", kind, version)
    decoded = [(number, _decode(kind, line)) for number, line in enumerate(lines[1:], start=2)]
    records = [record for _, record in decoded if record is not None]
    damaged = [number for number, record in decoded if record is None]
    if header_lost:
        if not records:
            raise DataError(
                f"Store: {path} is not a results file of kind {kind!r}, or its first line is damaged and no "
                "record is whole; move it away and start a new one"
            )
        damaged.insert(0, 1)
    return _Content(records, damaged, whole, torn, _decode(kind, torn) if torn else None)


def _check_header(path: Path, line: bytes, kind: str, version: int) -> bool:
    """Refuses a file that is not ours to read; True where the line is damaged and cannot tell."""
    try:
        header = json.loads(line)["record"]
        found_format, found_kind, found_version = header["format"], header["kind"], int(header["version"])
    except (ValueError, KeyError, TypeError):
        return True
    if _decode(str(found_kind), line) is None:
        return True
    if found_format != _FORMAT or found_kind != kind:
        raise DataError(f"Store: {path} must hold records of kind {kind!r}, got {found_kind!r}; give another path")
    if found_version > version:
        raise DataError(
            f"Store: {path} has format version {found_version}, this straightthrough reads version {version}; "
            "it was written by a newer release: upgrade straightthrough, or give another path"
        )
    if found_version < version:
        raise DataError(
            f"Store: {path} has format version {found_version}, this straightthrough writes version {version}; "
            "move the file away and run again, or use the release that wrote it"
        )
    return False


def _warn_damaged(path: Path, damaged: list[int], stacklevel: int) -> None:
    if damaged:
        where = ", ".join(str(number) for number in damaged[:10]) + (", ..." if len(damaged) > 10 else "")
        warnings.warn(
            f"Store: {path} has {len(damaged)} damaged record(s), line {where}: the checksum is wrong, the record is "
            "left out and its unit will run again; all others are used",
            DamagedRecordWarning,
            stacklevel=stacklevel,
        )
