"""The sandboxes of a box whose queue is run in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import replace

from evalbox.config.settings import Settings
from evalbox.domain.clock import Clock
from evalbox.domain.quantity import format_size
from evalbox.domain.sandbox import (
    DEFAULT_COLLECTED,
    MAX_FILE,
    MAX_LIFETIME,
    MIN_LIFETIME,
    BoxSandbox,
    Entry,
    ExecReport,
    ExecSpec,
    SandboxEnd,
    SandboxFilter,
    SandboxSpec,
    SandboxState,
    check_absolute,
    check_seconds,
)
from evalbox.domain.text import plain_text
from evalbox.errors import Busy, InvalidInput, TooLarge
from evalbox.scheduler.resident import Resident
from evalbox.scheduler.residents import Residents
from evalbox.service.audit import audited
from evalbox.service.collecting import collect
from evalbox.service.execution import LocalExec, audited_exec, program
from evalbox.store.store import Store


class LocalSandboxes:
    """Implements ``Sandboxes``. ``residents`` gives None where this process does not run them."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        clock: Clock,
        residents: Callable[[], Residents | None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._residents = residents

    async def create(self, spec: SandboxSpec) -> BoxSandbox:
        async with audited(self._store, "sandbox.create", name=lambda made: str(made.id)):
            return await self._running().create(self._completed(spec))

    async def list(
        self, query: SandboxFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[BoxSandbox]:
        found = await self._store.sandboxes(query, limit=limit, after=after)
        return [self._fresh(one) for one in found]

    async def get(self, reference: str) -> BoxSandbox:
        return self._fresh(await self._store.sandbox(reference))

    async def keep(self, reference: str, lifetime: float | None = None) -> BoxSandbox:
        if lifetime is not None:
            check_seconds(lifetime, MIN_LIFETIME, MAX_LIFETIME, "lifetime")
        found = await self._store.sandbox(reference)
        async with audited(self._store, "sandbox.keep", found.id, {"lifetime": lifetime}):
            return self._fresh(await self._running().extend(found.id, lifetime))

    async def remove(self, reference: str) -> None:
        found = await self._store.sandbox(reference)
        if found.state is SandboxState.ENDED:
            return
        async with audited(self._store, "sandbox.remove", found.id):
            await self._running().remove(found.id, SandboxEnd.REMOVED)

    async def exec(self, reference: str, spec: ExecSpec) -> LocalExec:
        spec.check()
        resident = await self._resident(reference)
        return await audited_exec(
            self._store,
            "sandbox.exec",
            resident.record.id,
            spec,
            lambda: self._started(resident, spec),
        )

    async def run(
        self,
        reference: str,
        spec: ExecSpec,
        stdin: bytes = b"",
        *,
        limit: int = DEFAULT_COLLECTED,
    ) -> ExecReport:
        running = await self.exec(reference, replace(spec, stdin=spec.tty or bool(stdin)))
        return await collect(running, stdin, limit)

    async def read(
        self, reference: str, path: str, *, user: str | None = None
    ) -> AsyncIterator[bytes]:
        _check_place(path, user)
        resident = await self._resident(reference)
        size = 0
        with resident.in_use():
            sandbox = await resident.opened()
            async with aclosing(sandbox.files.read(path, user)) as pieces:  # type: ignore[type-var]
                async for data in pieces:
                    size += len(data)
                    _check_file(size, path)
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
        _check_place(path, user)
        if not 0 <= mode <= 0o777:
            raise InvalidInput(f"mode: {mode:o} is not a mode", hint="give 0 to 777", field="mode")
        resident = await self._resident(reference)
        detail = {"path": path[:200]}
        async with audited(self._store, "sandbox.write", resident.record.id, detail):
            with resident.in_use():
                sandbox = await resident.opened()
                await sandbox.files.write(path, _bounded(content, path), mode, user)

    async def entries(
        self, reference: str, path: str, *, user: str | None = None
    ) -> Sequence[Entry]:
        _check_place(path, user)
        resident = await self._resident(reference)
        with resident.in_use():
            return await (await resident.opened()).files.list(path, user)

    async def _started(self, resident: Resident, spec: ExecSpec) -> LocalExec:
        sandbox_id = resident.record.id
        with ExitStack() as use:
            use.enter_context(resident.in_use())
            env = {**await self._store.sandbox_environment(sandbox_id), **spec.env}
            execution = await (await resident.opened()).exec(program(spec, env))
            return LocalExec(
                execution,
                self._clock,
                spec.timeout,
                own=self._running().own,
                give_up=lambda: self._given_up(sandbox_id),
                on_close=use.pop_all().close,
            )

    def _running(self) -> Residents:
        residents = self._residents()
        if residents is None:
            raise Busy(
                "no sandbox can be kept: the queue is not run here",
                hint="ask the service, which evalbox --serve starts",
            )
        return residents

    async def _resident(self, reference: str) -> Resident:
        found = await self._store.sandbox(reference)
        return self._running().get(found.id)

    def _fresh(self, record: BoxSandbox) -> BoxSandbox:
        residents = self._residents()
        return record if residents is None else residents.used_at(record)

    def _completed(self, spec: SandboxSpec) -> SandboxSpec:
        """With the box's own engine and image where none is named. Raises ``InvalidInput``."""
        spec.check()
        engine = spec.engine or self._settings.engine
        if engine == "process" and not spec.engine:
            raise InvalidInput(
                "engine process confines nothing, so it is never the default",
                hint="ask for it by name, or set another engine",
                field="engine",
            )
        return replace(spec, engine=engine, image=spec.image or self._settings.image)

    async def _given_up(self, sandbox_id: str) -> None:
        if (residents := self._residents()) is not None:
            reason = "a program in it could not be killed"
            await residents.remove(sandbox_id, SandboxEnd.UNRESPONSIVE, reason)


def _check_place(path: str, user: str | None) -> None:
    check_absolute(path, field="path")
    if user is not None:
        plain_text(user, field="user")


def _check_file(size: int, path: str) -> None:
    if size > MAX_FILE:
        raise TooLarge(
            f"{path[:200]} is larger than {format_size(MAX_FILE)}",
            hint="take it apart, as with split",
        )


async def _bounded(content: AsyncIterator[bytes], path: str) -> AsyncIterator[bytes]:
    size = 0
    async for data in content:
        size += len(data)
        _check_file(size, path)
        yield data
