"""What an engine claims to do, beyond what all of them must."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Traits:
    """Everything is claimed unless it is denied.

    ``runs_programs``: commands are really run, with a shell and Python.
    ``isolates``: the command has a file system, a network and a user of its own, and no rights.
    ``limits_memory``: exceeding the limit is told as ``oom_killed``.
    ``limits_processes``, ``limits_cpu``, ``limits_files``: the limit holds.
    ``adopts``: a later process takes over what an earlier one left running.
    ``knows_images``: an image that does not exist is told from one that does.
    ``keeps_images``: an image can be made of what a sandbox holds.
    """

    runs_programs: bool = True
    isolates: bool = True
    limits_memory: bool = True
    limits_processes: bool = True
    limits_cpu: bool = True
    limits_files: bool = True
    adopts: bool = True
    knows_images: bool = True
    keeps_images: bool = True

    def missing(self, needs: frozenset[str]) -> list[str]:
        """Those of ``needs`` that are not claimed."""
        return sorted(name for name in needs if not getattr(self, name))


NAMES = frozenset(item.name for item in fields(Traits))
