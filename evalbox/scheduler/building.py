"""Images that are made by a program in a sandbox: each once, however many ask for it.

A build belongs to those who wait for it: it is given up when the last of them has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import replace

from evalbox.domain.building import BuildRecord, BuildState, Built, ImageBuild
from evalbox.domain.clock import Clock
from evalbox.domain.image import Image
from evalbox.domain.limits import Limits
from evalbox.engines.base import Engine
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    EvalboxError,
    ImageBuildError,
    ImageNotFound,
)
from evalbox.scheduler.buildlog import BuildLog, Lines
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.supplies import Supplies
from evalbox.scheduler.workshop import LIMITS, Workshop
from evalbox.store.store import Store
from evalbox.tasks.standard.driver import makers
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

Progress = Callable[[str], None]
#: Builds under way at once; more of them wait.
_AT_ONCE = 2


class Builds:
    """``gate`` gives that of an engine; ``on_change`` is called when room has fallen free.

    ``supplies`` are those of every build.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        gate: Callable[[str], Gate],
        on_change: Callable[[], None] = lambda: None,
        supplies: Supplies | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._gate = gate
        self._on_change = on_change
        self._supplies = supplies or Supplies()
        self._jobs: dict[str, _Job] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._working: set[Workshop] = set()

    @property
    def limits(self) -> list[Limits]:
        """What is promised to those under way."""
        return [LIMITS] * len(self._working)

    def living(self, engine: Engine) -> frozenset[str]:
        """The ids of the sandboxes of an engine that builds go on in."""
        return frozenset(
            one.sandbox.id for one in self._working if one.sandbox and one.gate.engine is engine
        )

    async def begin(self) -> None:
        """Nothing of what an earlier process left in the middle goes on."""
        await self._store.builds_interrupted()

    async def prepare(
        self,
        build: ImageBuild,
        progress: Progress | None = None,
        *,
        base: str,
        engine: str,
        env: Mapping[str, str],
    ) -> Built:
        """The image that ``build`` makes upon ``base``, made where it is not there yet.

        ``progress`` is told what the build prints, from its beginning. Raises ``ImageBuildError``
        where the build is to blame, ``ImageNotFound`` for the base, and else ``EngineError``.
        """
        gate = self._gate(engine)
        await gate.pass_through()
        image = await _base(gate.engine, base, progress or _unheard)
        key = build.key(image.id, await asyncio.to_thread(makers))
        job = self._jobs.get(key)
        if job is None or job.given_up:
            before = job.task if job else None
            printed = BuildLog(self._store.build_log(key), self._supplies.mask(env))
            job = self._jobs[key] = _Job(printed)
            order = Workshop(gate, self._store, build, image, key, env, printed, self._supplies)
            # It is nobody's in particular: neither what is audited nor what is logged of who asks.
            job.task = asyncio.create_task(
                self._work(order, base, before), name=f"build-{key[:8]}", context=Context()
            )
            job.task.add_done_callback(lambda _: self._over(key, job))
        return await self._waited(job, key, progress)

    async def close(self) -> None:
        """Gives up what is under way."""
        for job in self._jobs.values():
            job.give_up()
        tasks = [job.task for job in self._jobs.values() if job.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- within ---

    async def _waited(self, job: _Job, key: str, progress: Progress | None) -> Built:
        assert job.task is not None  # noqa: S101 - it has been begun
        job.waiting += 1
        try:
            if progress is not None:
                await _follow(job, Lines(self._store.build_log(key)), progress)
            await asyncio.wait({job.task})
        finally:
            job.waiting -= 1
            if not job.waiting:
                job.give_up()
        if job.task.cancelled():
            raise EngineUnavailable("the build was given up, as evalbox ends", hint="ask again")
        return job.task.result()

    def _over(self, key: str, job: _Job) -> None:
        if self._jobs.get(key) is job:
            del self._jobs[key]
        if job.task is not None and not job.task.cancelled():
            # Whoever waits is told; perhaps nobody does any more.
            job.task.exception()

    async def _work(self, order: Workshop, base: str, before: asyncio.Task[Built] | None) -> Built:
        if before is not None:
            await asyncio.wait({before})
        if (found := await self._there(order)) is not None:
            return found
        async with self._room:
            self._working.add(order)
            try:
                return await self._built(order, base)
            finally:
                self._working.discard(order)
                self._on_change()

    async def _there(self, order: Workshop) -> Built | None:
        record = await self._store.build(order.key)
        if record is None or record.state not in (BuildState.READY, BuildState.REMOVED):
            return None
        try:
            await order.gate.engine.image(record.image)
        except ImageNotFound:
            return None
        await self._store.build_used(record, self._clock.now())
        return _told(record, cached=True)

    async def _built(self, order: Workshop, base: str) -> Built:
        began, now = self._clock.monotonic(), self._clock.now()
        engine = order.gate.engine.name
        await order.log.open()
        await self._store.build_begun(order.key, base, engine, now)
        record = BuildRecord(order.key, BuildState.FAILED, base, engine, now, now)
        try:
            try:
                image, description = await order.make()
            except BaseException as error:
                record = replace(record, reason=_reason(error))
                raise
            record = replace(
                record, state=BuildState.READY, size=image.size, description=description
            )
        finally:
            record = replace(record, seconds=self._clock.monotonic() - began)
            await order.log.close()
            await self._store.build_ended(record, self._clock.now())
            await self._store.trim_build_logs(self._jobs)
            log.info("image built", key=order.key, state=record.state, reason=record.reason)
        return _told(record, cached=False)


class _Job:
    """``waiting`` counts those who wait for it."""

    def __init__(self, log: BuildLog) -> None:
        self.log = log
        self.task: asyncio.Task[Built] | None = None
        self.waiting = 0
        self.given_up = False

    def give_up(self) -> None:
        """Once: what it does to end is not to be cut off."""
        if not self.given_up and self.task is not None and not self.task.done():
            self.given_up = True
            self.task.cancel()


async def _follow(job: _Job, lines: Lines, progress: Progress) -> None:
    """Tells what there is and what comes, until the build is over."""
    assert job.task is not None  # noqa: S101 - it has been begun
    try:
        over = False
        while not over:
            grew, over = asyncio.ensure_future(job.log.grew.wait()), job.task.done()
            try:
                if job.log.begun:
                    for line in await asyncio.to_thread(list, lines.next(final=over)):
                        progress(line)
                if not over:
                    await asyncio.wait({grew, job.task}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                grew.cancel()
    finally:
        lines.close()


async def _base(engine: Engine, reference: str, progress: Progress) -> Image:
    try:
        return await engine.provide(reference, progress)
    except ImageBuildError as error:
        # What is wrong with evalbox's own images is nothing that the build could help.
        raise EngineError(error.message, hint=error.hint) from error


def _told(record: BuildRecord, *, cached: bool) -> Built:
    return Built(
        record.image,
        record.key,
        record.description,
        cached=cached,
        seconds=record.seconds,
        created_at=record.created_at,
    )


def _reason(error: BaseException) -> str:
    match error:
        case EvalboxError():
            return error.message.partition("\n")[0]
        case asyncio.CancelledError():
            return "it was given up: nobody waited for it any more"
    return repr(error)


def _unheard(line: str) -> None:
    return
