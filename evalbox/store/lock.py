"""One process at a time owns a data directory."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from evalbox.store.files import translate_os

_TRIES = 3


class DataDirectoryLock:
    """A lock that the kernel lets go of when the process that holds it dies.

    Every instance stands for itself: two in one process exclude each other.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "evalbox.lock"
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether this instance holds it."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Takes the lock if it is free. Never waits. Raises ``StoreError``."""
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise translate_os(error, self._path) from error
        # Another process may be asking just now who holds it, and hold it itself for that moment.
        tries = (_lock(descriptor, fcntl.LOCK_EX, pause=count > 0) for count in range(_TRIES))
        if not any(tries):
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Lets go of it. Fine where it is not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> int | None:
        """The id of the process that holds it, None where nobody does."""
        if self._descriptor is not None:
            return os.getpid()
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            if _lock(descriptor, fcntl.LOCK_SH):
                return None
            text = os.pread(descriptor, 32, 0).strip()
            return int(text) if text.isdigit() else None
        finally:
            os.close(descriptor)


def _lock(descriptor: int, kind: int, *, pause: bool = False) -> bool:
    if pause:
        time.sleep(0.001)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
