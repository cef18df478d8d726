"""One control group for all sandboxes, of little weight: what sees to them comes first.

A hundred sandboxes that only wait keep two cores busy under gVisor, and however little each of them
weighs, the group that they are in competes with the service as one of ordinary weight.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalbox.domain.check import Check
from evalbox.engines.docker.cgroup import MOUNTS, parse_mounts
from evalbox.engines.docker.client import Client

NAME = "evalbox"
_SLICE = f"{NAME}.slice"


@dataclass(frozen=True, slots=True)
class Weight:
    """The file of the group's share of busy cores: ``light`` is a quarter of ``ordinary``."""

    file: Path
    ordinary: int
    light: int

    def lower(self) -> None:
        """Makes the group where it is missing. Raises ``OSError``."""
        self.file.parent.mkdir(exist_ok=True)
        if self.read() > self.light:
            self.file.write_text(str(self.light))

    def read(self) -> int:
        """Raises ``OSError`` where there is no such group."""
        return int(self.file.read_text())


class Parent:
    """``local``: whether the engine runs on this host."""

    def __init__(self, client: Client, *, local: bool, mounts: Path = MOUNTS) -> None:
        self._client = client
        self._local = local
        self._mounts = mounts
        self._name: str | None = None

    async def name(self) -> str:
        """What the engine calls the group; empty where it has none for us."""
        if self._name is None:
            self._name = await self._client.call(self._made)
        return self._name

    def check(self, info: Mapping[str, Any]) -> Check:
        """Whether the group weighs little, once a sandbox has been in it."""
        name = parent_name(info) if self._local else ""
        weight = weight_of(name, self._mounts) if name else None
        if weight is None:
            return Check("weight", "ok", "sandboxes weigh as the engine has it")
        try:
            found = weight.read()
        except (OSError, ValueError):
            return _heavy(name, f"{weight.file} cannot be read")
        if found > weight.light:
            return _heavy(name, f"{weight.file} is {found}, more than {weight.light}")
        return Check("weight", "ok", f"all sandboxes together weigh {found} of {weight.ordinary}")

    def _made(self, api: Any) -> str:
        name = parent_name(api.info()) if self._local else ""
        # A slice is systemd's, and what is written into it does not last.
        if name and name != _SLICE and (weight := weight_of(name, self._mounts)):
            # Who may not write there has sandboxes of ordinary weight, which the check tells.
            with contextlib.suppress(OSError, ValueError):
                weight.lower()
        return name


def parent_name(info: Mapping[str, Any]) -> str:
    """What such an engine must call the group; empty where it cannot have one."""
    if any("rootless" in option for option in info.get("SecurityOptions") or ()):
        return ""
    return {"cgroupfs": f"/{NAME}", "systemd": _SLICE}.get(info["CgroupDriver"], "")


def weight_of(name: str, mounts: Path) -> Weight | None:
    """None where this system has no weights."""
    try:
        points = parse_mounts(mounts.read_text())
    except OSError:
        return None
    group = name.removeprefix("/")
    if "cpu" in points:
        return Weight(Path(points["cpu"], group, "cpu.shares"), 1024, 256)
    return Weight(Path(points[""], group, "cpu.weight"), 100, 25) if "" in points else None


def _heavy(name: str, what: str) -> Check:
    remedy = (
        f"install packaging/{_SLICE}, see docs/service.md"
        if name == _SLICE
        else "run evalbox doctor as root once after each boot of the machine"
    )
    return Check("weight", "warning", f"many sandboxes would hold up the service: {what}", remedy)
