"""The sandboxes of a box elsewhere."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from evalbox.domain.sandbox import (
    DEFAULT_COLLECTED,
    BoxSandbox,
    Entry,
    ExecReport,
    ExecSpec,
    SandboxFilter,
    SandboxSpec,
)
from evalbox.service.collecting import collect
from evalbox.service.remote.client import Client
from evalbox.service.remote.execution import RemoteExec
from evalbox.service.remote.segment import segment
from evalbox.wire import sandboxes as wire


class RemoteSandboxes:
    """Implements ``Sandboxes`` over the API."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def create(self, spec: SandboxSpec) -> BoxSandbox:
        answer = await self._client.post("/sandboxes", wire.specification(spec))
        return wire.sandbox_from(answer)

    async def list(
        self, query: SandboxFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[BoxSandbox]:
        parameters: list[tuple[str, object]] = [
            *(("label", f"{key}={value}") for key, value in query.labels.items()),
            ("ended", query.ended),
            ("limit", limit),
            ("cursor", after),
        ]
        answer = await self._client.get("/sandboxes", parameters)
        return [wire.sandbox_from(item) for item in answer["items"]]

    async def get(self, reference: str) -> BoxSandbox:
        return wire.sandbox_from(await self._client.get(_of(reference)))

    async def keep(self, reference: str, lifetime: float | None = None) -> BoxSandbox:
        body = {"lifetime": lifetime}
        return wire.sandbox_from(await self._client.post(_of(reference, "/keepalive"), body))

    async def remove(self, reference: str) -> None:
        await self._client.send("DELETE", _of(reference))

    async def exec(self, reference: str, spec: ExecSpec) -> RemoteExec:
        return await RemoteExec.begin(self._client.dial, _of(reference, "/exec"), spec)

    async def run(
        self,
        reference: str,
        spec: ExecSpec,
        stdin: bytes = b"",
        *,
        limit: int = DEFAULT_COLLECTED,
    ) -> ExecReport:
        # Not in one answer: a box is silent for as long as the program runs.
        running = await self.exec(reference, replace(spec, stdin=bool(stdin)))
        return await collect(running, stdin, limit)

    async def read(
        self, reference: str, path: str, *, user: str | None = None
    ) -> AsyncIterator[bytes]:
        query = {"path": path, "user": user}
        async for data in self._client.pieces("GET", _of(reference, "/files"), query=query):
            yield data

    async def write(
        self,
        reference: str,
        path: str,
        content: AsyncIterator[bytes],
        *,
        mode: int = 0o644,
        user: str | None = None,
    ) -> None:
        query = {"path": path, "mode": f"{mode:03o}", "user": user}
        # What breaks off is then never sent, and what is signed is known before.
        with tempfile.NamedTemporaryFile(prefix="evalbox-file-") as file:
            async for data in content:
                await asyncio.to_thread(file.write, data)
            await asyncio.to_thread(file.flush)
            source = Path(file.name)
            await self._client.upload("PUT", _of(reference, "/files"), source, query=query)

    async def entries(
        self, reference: str, path: str, *, user: str | None = None
    ) -> Sequence[Entry]:
        query = {"path": path, "user": user}
        answer = await self._client.get(_of(reference, "/directory"), query)
        return [wire.entry_from(item) for item in answer]


def _of(reference: str, below: str = "") -> str:
    return f"/sandboxes/{segment(reference)}{below}"
