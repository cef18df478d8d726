"""Whether the engine can make sandboxes, and what an administrator must do where it cannot."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from evalbox.domain.check import Check
from evalbox.domain.evaluation import Network
from evalbox.engines.base import Launch, Profile, Sandbox, Stream
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import RUNTIME_REMEDY
from evalbox.engines.docker.parent import Parent
from evalbox.engines.docker.spec import Kind
from evalbox.errors import EngineError, EngineUnavailable, EvalboxError

Create = Callable[[Profile], Awaitable[Sandbox]]

#: Seconds for which an answer of ``ping`` is good.
_FRESH = 2.0
_LIMITS = {
    "MemoryLimit": "memory",
    "SwapLimit": "swap",
    "PidsLimit": "processes",
    "CpuCfsQuota": "cores",
}
#: The box of the sandboxes that are only tried.
TRIAL_BOX = "evalbox.check"


class Health:
    def __init__(self, client: Client, kind: Kind, parent: Parent) -> None:
        self._client = client
        self._kind = kind
        self._parent = parent
        self._well_at = -_FRESH

    async def ping(self) -> None:
        """Raises ``EngineUnavailable`` where the engine or its runtime is not there."""
        if time.monotonic() - self._well_at < _FRESH:
            return
        info = await self._client.call(lambda api: api.info())
        if self._kind.runtime not in info["Runtimes"]:
            raise EngineUnavailable(
                f"Docker has no runtime {self._kind.runtime}", hint=RUNTIME_REMEDY
            )
        self._well_at = time.monotonic()

    async def checks(self, create: Create, image: str | None) -> AsyncIterator[Check]:
        """One after the other; starts sandboxes of ``image`` with ``create``."""
        try:
            info = await self._client.call(lambda api: api.info())
            version = await self._client.call(lambda api: str(api.api_version))
        except EvalboxError as error:
            yield Check("docker", "failure", error.message, error.hint)
            return
        yield Check(
            "docker",
            "ok",
            f"Docker {info['ServerVersion']} at {self._client.address.url}, API {version}, "
            f"storage {info['Driver']}",
        )
        yield _limits(info)
        yield self._usage()
        for network in Network:
            yield await self._runtime(info, create, image, network)
        # It is there once the first sandbox is.
        yield await asyncio.to_thread(self._parent.check, info)

    def _usage(self) -> Check:
        if not self._kind.gvisor or os.geteuid() == 0:
            return Check("usage", "ok", "cores, memory, processes and disk can be measured")
        return Check(
            "usage",
            "warning",
            "only root can see how much disk a gVisor sandbox uses: disk limits hold for single "
            "files, not for their sum",
            "run the service as root where tasks are not trusted with the disk",
        )

    async def _runtime(
        self, info: dict[str, Any], create: Create, image: str | None, network: Network
    ) -> Check:
        runtime = self._kind.runtime_for(network)
        name = f"{self._kind.name}, network {network}"
        # Without the second one, only tasks that ask for a network cannot run.
        level = "failure" if network is Network.NONE else "warning"
        if runtime not in info["Runtimes"]:
            return Check(name, level, f"Docker has no runtime {runtime}", RUNTIME_REMEDY)
        if image is None:
            return Check(name, "ok", f"runtime {runtime} is registered; not tried without an image")
        began = time.monotonic()
        try:
            kernel = await _tried(create, Profile(image, user="0:0", workdir="/", network=network))
        except EvalboxError as error:
            return Check(name, level, f"{runtime}: {error.message}", error.hint)
        if self._kind.gvisor and kernel == info["KernelVersion"]:
            return Check(name, level, f"{runtime} runs on the host's own kernel", RUNTIME_REMEDY)
        took = (time.monotonic() - began) * 1000
        return Check(name, "ok", f"{runtime} ran a command on kernel {kernel} ({took:.0f} ms)")


def _limits(info: dict[str, Any]) -> Check:
    detail = f"version {info.get('CgroupVersion', '1')}, driver {info['CgroupDriver']}"
    missing = [what for key, what in _LIMITS.items() if info.get(key) is False]
    if missing:
        return Check(
            "cgroups",
            "failure" if {"memory", "processes"} & set(missing) else "warning",
            f"{detail}: no limit of {', '.join(missing)}",
            "boot with the kernel options cgroup_enable=memory swapaccount=1",
        )
    return Check("cgroups", "ok", detail)


async def _tried(create: Create, profile: Profile) -> str:
    """The release of the kernel that a sandbox sees. Raises ``EngineError`` where it ails."""
    nonce = secrets.token_hex(8)
    sandbox = await create(profile)
    try:
        await sandbox.launch(
            Launch(("/bin/sh", "-c", f"read -r _ _ v _ </proc/version; echo {nonce} $v"), "/")
        )
        said = b""
        async for chunk in sandbox.output():
            said += chunk.data if chunk.stream is Stream.STDOUT else b""
        ended = await sandbox.wait()
    finally:
        await sandbox.destroy()
    words = said.decode(errors="replace").split()
    if ended.code != 0 or words[:1] != [nonce] or len(words) != 2:
        raise EngineError(f"a sandbox started, but did not do as told: {ended}, {said[:200]!r}")
    return words[1]
