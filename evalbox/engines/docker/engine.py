"""The engine: makes, lists, adopts and reaps sandboxes."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from evalbox.engines.base import LABEL_BOX, Check, Image, Profile, SandboxInfo
from evalbox.engines.docker.archive import Owner, directory_archive
from evalbox.engines.docker.background import Background
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import Refused
from evalbox.engines.docker.identity import Identities, Identity
from evalbox.engines.docker.images import Images
from evalbox.engines.docker.network import Networks
from evalbox.engines.docker.removal import Remover
from evalbox.engines.docker.sandbox import CONFLICT, Container, DockerSandbox
from evalbox.engines.docker.spec import LABEL_ENGINE, Kind, container
from evalbox.engines.docker.wire import Address, Request
from evalbox.errors import EngineError, EngineUnavailable, SandboxGone

_PREFIX = "evalbox-"


class DockerEngine:
    """Sandboxes on gVisor's kernel (``gvisor``) or on the host's own (``runc``).

    ``docker_host`` None is DOCKER_HOST of the environment, else the socket of the system.
    ``threads`` bounds the calls under way at once. ``runtime`` and ``runtime_net`` are the names
    under which gVisor is registered without and with a network.
    """

    warmable = True

    def __init__(
        self,
        name: Literal["gvisor", "runc"],
        *,
        docker_host: str | None = None,
        threads: int = 16,
        runtime: str | None = None,
        runtime_net: str | None = None,
    ) -> None:
        gvisor = name == "gvisor"
        self.name: str = name
        self._kind = Kind(
            name,
            runtime or ("evalbox-gvisor" if gvisor else "runc"),
            runtime_net or ("evalbox-gvisor-net" if gvisor else "runc"),
        )
        address = Address.parse(docker_host)
        self._client = Client(address, threads)
        self._background = Background()
        self._identities = Identities(self._client)
        self._networks = Networks(self._client)
        self._remover = Remover(self._client, local=bool(address.path))
        self._sandboxes: weakref.WeakSet[DockerSandbox] = weakref.WeakSet()
        self.images = Images(self._client)

    async def image(self, reference: str) -> Image:
        return await self.images.get(reference)

    async def create(
        self, profile: Profile, *, labels: Mapping[str, str], name: str | None = None
    ) -> DockerSandbox:
        sandbox = await self._background.make(
            self._create(profile, labels, name), DockerSandbox.destroy
        )
        self._making.discard(sandbox.id)
        return sandbox

    async def list(self, box: str) -> Sequence[SandboxInfo]:
        labels = [f"{LABEL_BOX}={box}", f"{LABEL_ENGINE}={self.name}"]
        found = await self._client.call(
            lambda api: api.containers(all=True, filters={"label": labels})
        )
        return [
            SandboxInfo(item["Id"], item["State"] in _RUNNING, item["Labels"]) for item in found
        ]

    async def adopt(self, sandbox_id: str) -> DockerSandbox:
        found = await self._client.call(lambda api: api.inspect_container(sandbox_id))
        if found["State"]["Status"] == "created":
            await self._remover.remove(found["Id"])
            raise SandboxGone("the sandbox was never started")
        return self._sandbox(found, None)

    async def reap(self, box: str, keep: frozenset[str]) -> int:
        # What comes to be while this is under way cannot be in ``keep``.
        born = set(self._making)
        self._reaps.append(born)
        try:
            async with self._register:
                listed = await self.list(box)
            lost = [item.id for item in listed if item.id not in keep | born]
            for sandbox_id in lost:
                await self._background.finish(self._remover.remove(sandbox_id))
        finally:
            self._reaps.remove(born)
        return len(lost) + await self._remover.reap_orphans()

    async def close(self) -> None:
        for sandbox in list(self._sandboxes):
            sandbox.let_go()
        await self._background.close()
        self._client.close()

    async def _create(
        self, profile: Profile, labels: Mapping[str, str], name: str | None
    ) -> DockerSandbox:
        identity = await self._identities.of(profile)
        settings = await self._settings(profile, identity.owner, labels)
        container_id = await self._created(settings, name)
        try:
            return await self._started(container_id, profile, identity)
        except BaseException:
            self._making.discard(container_id)
            await self._remover.remove(container_id)
            await self._remover.sweep(container_id)
            raise
