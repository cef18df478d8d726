"""A box with its API on a real port and socket, and clients for both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from recovery_support import settings_in

from evalbox.api.app import Application
from evalbox.config.settings import Settings
from evalbox.domain.access import Scope
from evalbox.domain.clock import Clock
from evalbox.engines.fake import FakeEngine
from evalbox.host.serving import Serving
from evalbox.host.sockets import NAME, listen_tcp
from evalbox.service.box import Box
from evalbox.service.local import LocalBox
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Served:
    """A box that is served. ``port`` is its TCP port on 127.0.0.1."""

    box: LocalBox
    settings: Settings
    port: int
    application: Application

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, key: str = "", **options: Any) -> httpx.AsyncClient:
        """Over TCP."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(base_url=self.url + PREFIX, headers=headers, **options)

    def owner(self) -> httpx.AsyncClient:
        """Over the socket."""
        transport = httpx.AsyncHTTPTransport(uds=str(self.settings.data_dir / NAME))
        return httpx.AsyncClient(transport=transport, base_url="http://box" + PREFIX)

    async def key(self, *scopes: Scope, name: str = "", **options: Any) -> str:
        """The token of a new key."""
        wanted = scopes or (Scope.ADMIN,)
        number = len(await self.box.keys.list())
        _, token = await self.box.keys.create(name or f"key {number}", wanted, **options)
        return token


@asynccontextmanager
async def served(
    directory: Path,
    *,
    clock: Clock | None = None,
    work: bool = False,
    pool: int = 0,
    **changes: Any,
) -> AsyncIterator[Served]:
    """A box on the fake engine, served. ``pool`` is the size of its warm pool."""
    settings = replace(settings_in(directory), **changes)
    engine = FakeEngine()
    box = await LocalBox.open(settings, work=work, warm=pool, engines=[engine], clock=clock)
    try:
        listener = listen_tcp("127.0.0.1", 0)
        port = listener.getsockname()[1]
        async with Serving(box, settings, listener=listener, clock=clock) as serving:
            yield Served(box, settings, port, serving._application)
    finally:
        await box.close(drain=0)
        await engine.close()


@dataclass(frozen=True)
class Reached:
    kind: str
    box: Box
    served: Served


#: In this process, by its socket, by TCP.
WAYS = ("local", "socket", "tcp")


@asynccontextmanager
async def reached(kind: str, directory: Path) -> AsyncIterator[Reached]:
    """A box that works, reached one of the ``WAYS``."""
    async with served(directory, work=True, rate_burst=100_000) as found:
        if kind == "local":
            yield Reached(kind, found.box, found)
            return
        if kind == "socket":
            client = Client("http://box", socket=str(found.settings.data_dir / NAME))
        else:
            client = Client(found.url, key=await found.key(Scope.ADMIN))
        async with RemoteBox(client) as box:
            yield Reached(kind, box, found)


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]
