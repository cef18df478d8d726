"""How much disk a sandbox has written."""

from __future__ import annotations

import os
from dataclasses import dataclass

_FILESTORE = "gvisor.filestore"
_BLOCK = 512


@dataclass(slots=True)
class Filestore:
    """The file on the host that holds all that a gVisor sandbox writes to its root file system.

    It is sparse: its blocks are what is used, its size says nothing. It is found among the open
    files of the sandbox's process, which only root may see, whatever the storage driver.
    ``beside`` are the files that the engine mounts into it, which a job that is root may write.
    """

    pid: int
    container: str
    beside: tuple[str, ...] = ()
    _path: str = ""

    def used(self) -> int:
        """Bytes; 0 where that cannot be told."""
        try:
            if not self._path:
                self._path = self._find()
        except OSError:
            return 0
        return sum(_blocks(path) for path in (self._path, *self.beside) if path) * _BLOCK

    def _find(self) -> str:
        directory = f"/proc/{self.pid}/fd"
        for name in os.listdir(directory):  # noqa: PTH208 - ten times as fast as Path
            target = os.readlink(f"{directory}/{name}")  # noqa: PTH115
            if _FILESTORE in target and self.container in target:
                # Its own name outlives the process by a little; where it cannot be seen from
                # here, the link serves.
                return target if os.path.exists(target) else f"{directory}/{name}"  # noqa: PTH110
        return ""


def _blocks(path: str) -> int:
    try:
        return os.stat(path).st_blocks  # noqa: PTH116
    except OSError:
        return 0
