"""How much disk a sandbox has written."""

from __future__ import annotations

import os
from dataclasses import dataclass

_FILESTORE = "gvisor.filestore"
_BLOCK = 512


@dataclass(slots=True)
class Filestore:
    """The file on the host that holds all that a gVisor sandbox writes to its root file system.

    It is sparse: its blocks are what is used, its size says nothing. It is reached through the
    open files of the sandbox's process, which only root may see, whatever the storage driver.
    """

    pid: int
    container: str
    _link: str = ""

    def used(self) -> int:
        """Bytes; 0 where that cannot be told."""
        try:
            if not self._holds(self._link):
                self._link = self._find()
            return os.stat(self._link).st_blocks * _BLOCK if self._link else 0  # noqa: PTH116
        except OSError:
            return 0

    def _find(self) -> str:
        directory = f"/proc/{self.pid}/fd"
        links = (f"{directory}/{name}" for name in os.listdir(directory))  # noqa: PTH208
        return next(filter(self._holds, links), "")

    def _holds(self, link: str) -> bool:
        try:
            target = os.readlink(link) if link else ""  # noqa: PTH115 - 10 times faster than Path
        except OSError:
            return False
        return _FILESTORE in target and self.container in target
