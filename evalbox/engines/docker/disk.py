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
    """

    pid: int
    container: str
    _path: str = ""

    def used(self) -> int:
        """Bytes; 0 where that cannot be told."""
        try:
            if not self._path:
                self._path = self._find()
            return os.stat(self._path).st_blocks * _BLOCK if self._path else 0  # noqa: PTH116
        except OSError:
            return 0

    def _find(self) -> str:
        directory = f"/proc/{self.pid}/fd"
        for name in os.listdir(directory):  # noqa: PTH208 - ten times as fast as Path
            target = os.readlink(f"{directory}/{name}")  # noqa: PTH115
            if _FILESTORE in target and self.container in target:
                # Its own name outlives the process by a little; where it cannot be seen from
                # here, the link serves.
                return target if os.path.exists(target) else f"{directory}/{name}"  # noqa: PTH110
        return ""
