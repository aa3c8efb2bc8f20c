"""A lock between processes that dies with its holder: a kill -9 leaves nothing to clean up."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from straightthrough._errors import DataError
from straightthrough.report.writing import cannot_write

# Windows locks bytes, and a locked byte cannot be read: lock one far behind the holder's number.
_FAR = 1 << 30

if sys.platform == "win32":
    import msvcrt

    def _try_lock(handle: int) -> bool:
        os.lseek(handle, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Lock:
    """The right to write something, held by one process; the file says by which."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle: int | None = None

    def acquire(self, what: str) -> None:
        """Takes the lock, or says who has it.

        Args:
            what: begins the error's sentence.

        Raises:
            DataError: another process, or this one, holds the lock.
        """
        while self._handle is None:
            try:
                handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except OSError as error:
                raise cannot_write(self.path, error, "nothing was changed") from error
            if not _try_lock(handle):
                os.close(handle)
                raise DataError(
                    f"{what} is in use by {self._holder()}; wait until it has finished, or give another path"
                )
            if self._is_current(handle):
                self._handle = handle
                self._sign(handle)
            else:  # its holder removed it between our open and our lock: what we locked has no name any more
                os.close(handle)

    def release(self) -> None:
        """Gives the lock back; harmless where it is not held."""
        if self._handle is not None:
            # Removed while still locked, or another process could take it and lose it to us.
            with contextlib.suppress(OSError):
                self.path.unlink()
            os.close(self._handle)
            self._handle = None

    def _holder(self) -> str:
        try:
            number = self.path.read_bytes()[:20].decode().strip()
        except (OSError, ValueError):
            number = ""
        return f"process {number}" if number.isdigit() else "another process"

    def _is_current(self, handle: int) -> bool:
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            return False
        return os.path.samestat(os.fstat(handle), named)

    @staticmethod
    def _sign(handle: int) -> None:
        # A full disk must not stop a run from reading what it has: the number is a courtesy.
        with contextlib.suppress(OSError):
            os.ftruncate(handle, 0)
            os.lseek(handle, 0, os.SEEK_SET)
            os.write(handle, f"{os.getpid()}\n".encode())
            os.fsync(handle)
