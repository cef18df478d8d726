"""Takes containers away, to the last process."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from evalbox.engines.docker import orphans
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import CONFLICT, Refused
from evalbox.errors import EngineError, SandboxGone

#: Seconds after which a refusal counts: of one kind, the engine is at it already, and slow.
_PATIENCE, _UNDER_WAY = 10.0, 120.0
_PAUSE = 0.05
#: Seconds that the engine gets for a removal, until what serves the container is killed.
_STUCK = 2.5
#: Label of containers that are removed as soon as they have been looked at, and the age in seconds
#: at which one was forgotten in a crash.
PASSING = "evalbox.passing"
#: What the name of one begins with that must not have that label.
PASSING_NAME = "evalbox-passing-"
_FORGOTTEN = 600.0
#: A container's processes are given this long to go after it: seconds.
_GRACE = 2.0
#: Younger processes may belong to a container that is being created this moment: seconds.
_YOUNG = 5.0


class Remover:
    """``local``: whether the engine's processes are those of this host."""

    def __init__(self, client: Client, *, local: bool, young: float = _YOUNG) -> None:
        self._client = client
        self._local = local
        self._young = young

    async def remove(self, container: str, pid: int = 0) -> None:
        """Removes a container, by id or name, running or not; fine where it has gone.

        ``pid`` is its first process, which is made sure to have gone too.
        """
        try:
            async with asyncio.timeout(_STUCK):
                await self._remove(container)
        except TimeoutError:
            # containerd's shim hangs where a sandbox ended while something was started in it.
            await self.sweep(container)
            await self._remove(container)
        if pid and self._local and not await self._gone(pid, container):
            await self.sweep(container)

    async def sweep(self, container: str) -> None:
        """Kills what processes serve a container that has been, or is to be, removed."""
        if self._local:
            await asyncio.to_thread(_kill_serving, container)

    async def reap_orphans(self) -> int:
        """Removes what crashes leave behind that no box's list shows; returns how many.

        That is gVisor's processes of containers that the engine does not know, and containers that
        were meant to live for moments.
        """
        # The processes come first: what is created after this look is no orphan.
        serving = await asyncio.to_thread(orphans.serving) if self._local else []
        listed = await self._client.call(lambda api: api.containers(all=True))
        known = {item["Id"] for item in listed}
        lost = {
            one.container
            for one in serving
            if one.gvisor and one.age > self._young and one.container not in known
        }
        await asyncio.to_thread(orphans.kill, [one for one in serving if one.container in lost])
        forgotten = [
            item["Id"]
            for item in listed
            if _is_passing(item) and time.time() - item["Created"] > _FORGOTTEN
        ]
        for container in forgotten:
            await self._remove(container)
        return len(lost) + len(forgotten)

    async def _remove(self, container: str) -> None:
        def remove(api: Any) -> None:
            api.remove_container(container, v=True, force=True)

        since = asyncio.get_running_loop().time()
        while True:
            try:
                return await self._client.call(remove)
            except SandboxGone:
                return None
            except Refused as error:
                # Somebody else is at it, or the engine has not noticed its end.
                patience = _UNDER_WAY if error.status == CONFLICT else _PATIENCE
                if asyncio.get_running_loop().time() - since > patience:
                    raise EngineError(
                        f"a sandbox cannot be removed: {error.message}", hint=error.hint
                    ) from error
            await asyncio.sleep(_PAUSE)

    async def _gone(self, pid: int, container: str) -> bool:
        deadline = asyncio.get_running_loop().time() + _GRACE
        while _serves(pid, container):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(_PAUSE)
        return True


def _is_passing(listed: dict[str, Any]) -> bool:
    named = any(name.startswith("/" + PASSING_NAME) for name in listed["Names"] or ())
    return named or PASSING in listed["Labels"]


def _serves(pid: int, container: str) -> bool:
    """Process ids are used again: the container's id tells."""
    with suppress(OSError):
        return container.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def _kill_serving(container: str) -> None:
    orphans.kill(one for one in orphans.serving() if one.container == container)
