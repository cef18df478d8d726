"""A box for programs that use asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from evalbox.config.settings import load
from evalbox.domain.activity import Activity
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter, QueueStatus
from evalbox.domain.reduction import BatchPlan
from evalbox.domain.state import FINAL, State
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.host.opening import open_box
from evalbox.sdk.async_handle import AsyncHandle, read_artifact, read_result
from evalbox.sdk.async_sandbox import AsyncSandbox, SandboxOptions, sandbox_spec
from evalbox.sdk.job import Options, Source, job
from evalbox.sdk.result import Result
from evalbox.service.box import Box as ServiceBox

#: Evaluations that are submitted at once.
_CHUNK = 100
#: After one of these, nothing more of an evaluation comes.
_ENDINGS = frozenset({*(f"evaluation.{state}" for state in FINAL), "evaluation.removed"})


class AsyncBox:
    """A box, open for the length of an ``async with``.

    With ``url`` (or ``EVALBOX_URL``) the box at that address, for which ``key`` (``EVALBOX_KEY``)
    is the API key. Else that of ``data_dir``: where a service runs on it, through its socket; else
    it is opened in this process, which with ``work`` also runs its queue, with ``warm`` sandboxes
    kept ready. ``engine`` and ``image`` are for what names none itself. ``settings`` are those of
    the configuration file. ``on_note`` is told in a line what is done.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        data_dir: Path | str | None = None,
        *,
        work: bool = True,
        warm: int = 0,
        engine: str = "",
        image: str = "",
        on_note: Callable[[str], None] | None = None,
        **settings: Any,
    ) -> None:
        """Raises ``ConfigError``."""
        if data_dir is not None and url is None:
            # It was named, so what the environment says of another is not meant.
            url = ""
        own = {} if engine in ("", "process") else {"engine": engine}
        overrides = {"url": url, "key": key, "data_dir": data_dir, **own, **settings}
        self._settings = load(overrides=overrides)
        self._work = work
        self._warm = warm
        self._engine = engine
        self._image = image
        self._on_note = on_note or (lambda note: None)
        self._box: ServiceBox | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        opened = open_box(self._settings, work=self._work, warm=self._warm, on_note=self._on_note)
        self._box = await self._stack.enter_async_context(opened)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Waits for what this process runs; after an error, leaves it to the next process."""
        self._box = None
        await self._stack.__aexit__(kind, error, traceback)

    @property
    def service(self) -> ServiceBox:
        """All that a box can do: keys, audit log, images, webhooks, backups and the rest."""
        if self._box is None:
            raise InvalidInput("the box is not open", hint="use it as in: async with AsyncBox()")
        return self._box

    async def run(self, source: Source | None = None, **options: Unpack[Options]) -> Result:
        """Runs a program in a fresh sandbox, to its end. See ``Options``.

        ``source`` is the text of a script, or a ``Path``. How it ended is in the result, also where
        that is no success. When this is cancelled or interrupted, so is the evaluation.
        """
        handle = await self.submit(source, **options)
        try:
            return await handle.result()
        except asyncio.CancelledError:
            with suppress(EvalboxError):
                await asyncio.shield(handle.cancel())
            raise

    async def submit(self, source: Source | None = None, **options: Unpack[Options]) -> AsyncHandle:
        """Queues a program, durably, and does not wait for it."""
        (made,) = await self.service.submit([await self._spec(source, options)])
        return AsyncHandle(self.service, made)

    async def submit_many(
        self, items: Iterable[Source | Mapping[str, Any]], **common: Unpack[Options]
    ) -> Sequence[AsyncHandle]:
        """Queues many programs. Each is a source, or a mapping of options with ``source`` in it.

        The path of a family stands for all of its tasks.
        ``common`` is for all of them, where they do not say otherwise.
        """
        made: list[Evaluation] = []
        specs: list[EvaluationSpec] = []
        for source, options in [_one(item, common) for item in items]:
            specs += await self._specs(source, options)
            if len(specs) >= _CHUNK:
                made += await self.service.submit(specs)
                specs = []
        if specs:
            made += await self.service.submit(specs)
        return [AsyncHandle(self.service, evaluation) for evaluation in made]

    async def map(
        self, items: Iterable[Source | Mapping[str, Any]], **common: Unpack[Options]
    ) -> AsyncIterator[Result]:
        """Runs many programs, as ``submit_many`` takes them; gives each result as it comes.

        All are queued before the first result. What is left when this is closed goes on.
        """
        after = await self.service.last_seq()
        handles = await self.submit_many(items, **common)
        async with aclosing(self._endings(handles, after)) as endings:  # type: ignore[type-var]
            async for evaluation in endings:
                yield await read_result(self.service, evaluation)

    async def _endings(
        self, handles: Sequence[AsyncHandle], after: int
    ) -> AsyncIterator[Evaluation]:
        """Each as soon as it has ended, which is told behind ``after`` or known already."""
        left = set()
        for handle in {handle.id: handle for handle in handles}.values():
            if handle.evaluation.state in FINAL:
                yield handle.evaluation
            else:
                left.add(handle.id)
        if not left:
            return
        events = self.service.events(after=after, follow=True)
        async with aclosing(events) as told:  # type: ignore[type-var]
            async for event in told:
                if event.kind in _ENDINGS and event.evaluation_id in left:
                    left.discard(event.evaluation_id)
                    yield await self.service.get(event.evaluation_id)
                if not left:
                    return

    async def get(self, reference: str) -> AsyncHandle:
        """An evaluation by its id, or an unambiguous beginning of it or of its short form."""
        identifier = await self.service.resolve(reference)
        return AsyncHandle(self.service, await self.service.get(identifier))

    async def list(
        self,
        *,
        states: Collection[State] = (),
        outcomes: Collection[Outcome] = (),
        batch: str | None = None,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Sequence[Evaluation]:
        """Evaluations, the newest first; ``after`` is the last id of the page before.

        ``name`` is a glob.
        """
        query = EvaluationFilter(
            states=frozenset(states),
            outcomes=frozenset(outcomes),
            batch=batch,
            name=name,
            labels=labels or {},
        )
        return await self.service.list(query, limit=limit, after=after)

    async def read_artifact(self, evaluation_id: str, path: str) -> bytes:
        """A file that an evaluation left. Raises ``ArtifactNotFound``."""
        return await read_artifact(self.service, evaluation_id, path)

    async def batches(self) -> Sequence[Batch]:
        """All batches, the newest first."""
        return await self.service.batches()

    async def batch(self, name: str) -> Batch:
        """How many of a batch stand how. Raises ``BatchNotFound``."""
        return await self.service.batch(name)

    async def limit_batch(self, name: str, concurrency: int | None) -> Batch:
        """How many of a batch may run at once; None for no limit but the pool's."""
        return await self.service.set_batch_concurrency(name, concurrency)

    async def plan_batch(
        self,
        name: str,
        *,
        fail_fast: bool = False,
        reduce: Source | Mapping[str, Any] | None = None,
    ) -> Batch:
        """What the box does with a batch by itself, in place of what was planned before.

        To be said when all of it have been submitted. ``fail_fast``: the first that fails has the
        rest cancelled. ``reduce``, given as to ``submit_many``, is run once all have ended and none
        was cancelled, with what they left beneath ``/in``; ``Batch.reduction`` tells of it.
        """
        step = None
        if reduce is not None:
            source, options = _one(reduce, {})
            step = await self._spec(source, options)
        return await self.service.plan_batch(name, BatchPlan(fail_fast, step))

    async def queue(self) -> QueueStatus:
        """How the queue stands, and why nothing more starts where nothing does."""
        return await self.service.queue()

    async def pause(self) -> None:
        """Nothing more starts; what runs goes on."""
        await self.service.pause()

    async def resume(self) -> None:
        """Evaluations start again."""
        await self.service.resume()

    async def resize(self, slots: int) -> None:
        """How many evaluations run at once."""
        await self.service.set_slots(slots)

    async def activity(self) -> Sequence[Activity]:
        """What runs, at this moment: what each attempt is at, and what it uses."""
        return await self.service.activity()

    async def host(self) -> HostReport:
        """The machine of the box, and how much of it is in use."""
        return await self.service.host()

    @asynccontextmanager
    async def sandbox(self, **options: Unpack[SandboxOptions]) -> AsyncIterator[AsyncSandbox]:
        """A sandbox for the length of a block, to run programs in. See ``SandboxOptions``."""
        wanted = sandbox_spec(options)
        wanted = replace(
            wanted, engine=wanted.engine or self._engine, image=wanted.image or self._image
        )
        sandbox = AsyncSandbox(self.service, await self.service.sandboxes.create(wanted))
        try:
            yield sandbox
        finally:
            await sandbox.remove()

    async def open_sandbox(self, reference: str) -> AsyncSandbox:
        """A sandbox that somebody made, which is theirs to remove."""
        return AsyncSandbox(self.service, await self.service.sandboxes.get(reference))

    async def feed(
        self, *, after: int | None = None, evaluation: str | None = None, batch: str | None = None
    ) -> AsyncIterator[Event]:
        """What happens from now on, in order; with ``after`` what came behind that seq, too.

        A feed that broke off is resumed with the seq of its last event, and misses nothing.
        """
        start = await self.service.last_seq() if after is None else after
        events = self.service.events(
            after=start, follow=True, evaluation_id=evaluation, batch=batch
        )
        async with aclosing(events) as told:  # type: ignore[type-var]
            async for event in told:
                yield event

    async def _spec(self, source: Source | None, options: Options) -> EvaluationSpec:
        specs = await self._specs(source, options)
        if len(specs) != 1:
            raise InvalidInput(
                f"the family has {len(specs)} tasks that are meant",
                hint="name one, or use submit_many",
            )
        return specs[0]

    async def _specs(self, source: Source | None, options: Options) -> Sequence[EvaluationSpec]:
        asked = await asyncio.to_thread(job, source, {**self._own, **options})
        specs = await asked.specs(self.service, self._on_note)
        return [replace(spec, image=spec.image or self._image) for spec in specs]

    @property
    def _own(self) -> Options:
        """What holds where an evaluation does not say otherwise."""
        return {"engine": self._engine} if self._engine else {}


def _one(item: Source | Mapping[str, Any], common: Options) -> tuple[Source | None, Options]:
    if not isinstance(item, Mapping):
        return item, common
    own = dict(item)
    source: Source | None = own.pop("source", None)
    return source, {**common, **own}  # type: ignore[typeddict-item]
