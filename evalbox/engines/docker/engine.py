"""The engine: makes, lists, adopts and reaps sandboxes."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from evalbox.domain.check import Check
from evalbox.domain.image import TASK_STANDARD, Image
from evalbox.engines.base import LABEL_BOX, Launch, Profile, Sandbox, SandboxInfo
from evalbox.engines.docker.archive import Owner, directory_archive
from evalbox.engines.docker.background import Background
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import CONFLICT, Refused
from evalbox.engines.docker.filesystem import ROOT, Listing, listing
from evalbox.engines.docker.freezing import Freezer
from evalbox.engines.docker.health import TRIAL_BOX, Health
from evalbox.engines.docker.identity import Identities
from evalbox.engines.docker.images import Images
from evalbox.engines.docker.network import Networks
from evalbox.engines.docker.parent import Parent
from evalbox.engines.docker.removal import PASSING, Remover
from evalbox.engines.docker.sandbox import Container, DockerSandbox
from evalbox.engines.docker.spec import LABEL_ENGINE, LABEL_WORKDIR, Kind, container_options
from evalbox.engines.docker.wire import Address, Connection, Request
from evalbox.engines.execution import IDLE
from evalbox.errors import Conflict, EngineError, ImageNotFound, SandboxGone

_PREFIX = "evalbox-"
_MOUNTED = ("HostsPath", "HostnamePath", "ResolvConfPath")
_ALIVE = ("running", "paused", "restarting")


class DockerEngine:
    """Sandboxes on gVisor's kernel (``gvisor``) or on the host's own (``runc``).

    ``docker_host`` None is DOCKER_HOST of the environment, else the socket of the system.
    ``threads`` bounds the calls under way at once. ``runtime`` and ``runtime_net`` are the names of
    the runtimes for sandboxes without and with a network.
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
        self._networks = Networks(self._client, gvisor=gvisor, local=bool(address.path))
        self._remover = Remover(self._client, local=bool(address.path))
        self._freezer = Freezer(self._client, self._remover, self._fresh)
        self._parent = Parent(self._client, local=bool(address.path))
        self._health = Health(self._client, self._kind, self._parent)
        self.images = Images(self._client)
        self._sandboxes: weakref.WeakSet[DockerSandbox] = weakref.WeakSet()
        # Containers that are being made belong to nobody yet: ``reap`` must know of them.
        self._register = asyncio.Lock()
        self._making: set[str] = set()
        self._reaps: list[set[str]] = []

    async def check(self, image: str | None = None) -> Sequence[Check]:
        async def create(profile: Profile) -> DockerSandbox:
            return await self.create(profile, labels={LABEL_BOX: TRIAL_BOX, PASSING: ""})

        return [check async for check in self._health.checks(create, image)]

    async def ping(self) -> None:
        await self._health.ping()

    async def image(self, reference: str) -> Image:
        return await self.images.get(reference)

    async def provide(self, reference: str, progress: Callable[[str], None]) -> Image:
        if reference == TASK_STANDARD and not await self.images.has_task_standard():
            return await self.images.build_task_standard(progress)
        return await self.image(reference)

    async def keep_image(
        self, sandbox: Sandbox, name: str, *, labels: Mapping[str, str], most: int, at: Path
    ) -> Image:
        with suppress(ImageNotFound, Conflict):
            # An earlier one would stay, without its name.
            await self.images.remove(name)
        await self._freezer.freeze(sandbox, name, labels=labels, most=most, at=at)
        return await self.image(name)

    async def drop_image(self, name: str) -> None:
        await self.images.remove(name)

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
        return [SandboxInfo(item["Id"], item["State"] in _ALIVE, item["Labels"]) for item in found]

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

    async def _fresh(self, image: str) -> Listing | None:
        """What an untouched sandbox of an image holds."""
        labels = {LABEL_BOX: TRIAL_BOX, PASSING: ""}
        # Else root may not look into the directories of others.
        profile = Profile(image, user=ROOT, workdir="/", capabilities=("DAC_OVERRIDE",))
        sandbox = await self.create(profile, labels=labels)
        try:
            await sandbox.launch(Launch(IDLE, "/"))
            return await listing(sandbox)
        finally:
            await sandbox.destroy()

    async def _create(
        self, profile: Profile, labels: Mapping[str, str], name: str | None
    ) -> DockerSandbox:
        identity = await self._identities.of(profile)
        container_id = await self._created(profile, identity.owner, labels, name)
        attached: Connection | None = None
        try:
            if identity.give:
                archive = directory_archive(profile.workdir, identity.owner)
                await self._client.call(lambda api: api.put_archive(container_id, "/", archive))
            attached = await self._client.open(_attach(container_id))
            return self._sandbox(await self._started(container_id), attached)
        except BaseException:
            if attached is not None:
                attached.close()
            self._making.discard(container_id)
            await self._remover.remove(container_id)
            await self._remover.sweep(container_id)
            raise

    async def _created(
        self, profile: Profile, owner: Owner, labels: Mapping[str, str], name: str | None
    ) -> str:
        host = await self._networks.options(profile.network)
        host["cgroup_parent"] = await self._parent.name() or None
        options: dict[str, Any] = {
            "name": None if name is None else _PREFIX + name,
            "labels": {**labels, LABEL_ENGINE: self.name, LABEL_WORKDIR: profile.workdir},
        }

        async def create() -> str:
            async with self._register:
                made = await self._client.call(
                    lambda api: api.create_container(
                        **container_options(api, self._kind, profile, owner, host), **options
                    )
                )
                container_id = str(made["Id"])
                for known in (self._making, *self._reaps):
                    known.add(container_id)
                return container_id

        try:
            return await create()
        except Refused as error:
            if name is None or error.status != CONFLICT:
                raise
        await self._remover.remove(_PREFIX + name)
        return await create()

    async def _started(self, container_id: str) -> dict[str, Any]:
        def start(api: Any) -> dict[str, Any]:
            api.start(container_id)
            return dict(api.inspect_container(container_id))

        found = await self._client.call(start)
        if not found["State"]["Running"]:
            raise EngineError(
                f"the sandbox ended as it began: {found['State']['Error'] or '/bin/sh fails'}",
                hint="use an image with a working /bin/sh",
            )
        return found

    def _sandbox(self, found: dict[str, Any], attached: Connection | None) -> DockerSandbox:
        state = found["State"]
        uid, _, gid = found["Config"]["User"].partition(":")
        container = Container(
            id=found["Id"],
            owner=Owner(int(uid), int(gid)),
            workdir=str(found["Config"]["Labels"].get(LABEL_WORKDIR) or "/"),
            pid=int(state["Pid"] or 0),
            gvisor=self._kind.gvisor,
            running=bool(state["Running"]),
            mounted=tuple(found[key] for key in _MOUNTED if found.get(key)),
        )
        sandbox = DockerSandbox(self._client, self._background, self._remover, container, attached)
        self._sandboxes.add(sandbox)
        return sandbox


def _attach(container_id: str) -> Request:
    streams: dict[str, str | int] = {"stream": 1, "stdin": 1, "stdout": 1, "stderr": 1}
    return Request("POST", f"/containers/{container_id}/attach", streams, upgrade=True)
