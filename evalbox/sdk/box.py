"""A box for programs without asyncio."""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from evalbox.domain.activity import Activity
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import QueueStatus
from evalbox.domain.state import State
from evalbox.sdk.async_box import AsyncBox
from evalbox.sdk.async_sandbox import SandboxOptions
from evalbox.sdk.handle import Handle
from evalbox.sdk.job import Options, Source
from evalbox.sdk.result import Result
from evalbox.sdk.sandbox import Sandbox
from evalbox.sdk.thread import LoopThread
from evalbox.service.box import Box as ServiceBox

T = TypeVar("T")


class Box:
    """A box, open for the length of a ``with``: ``AsyncBox`` says which.

    It works in a thread of its own, so it may be used from any thread, also from several at once,
    and where an event loop runs already, as in a notebook. An interruption cancels what was called.
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
        self._box = AsyncBox(
            url,
            key,
            data_dir,
            work=work,
            warm=warm,
            engine=engine,
            image=image,
            on_note=on_note,
            **settings,
        )
        self._thread = LoopThread()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._thread = LoopThread()
            self._thread.start()
            stack.callback(self._thread.stop)
            stack.enter_context(self._thread.entered(self._box))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Waits for what this process runs; after an error, leaves it to the next process."""
        self._stack.__exit__(kind, error, traceback)

    def open(self) -> Self:
        """Opens it without a ``with``, as in a notebook; ``close`` is then the caller's."""
        return self.__enter__()

    def close(self) -> None:
        self.__exit__(None, None, None)

    def call(self, ask: Callable[[ServiceBox], Awaitable[T]]) -> T:
        """Anything that a box can do: ``box.call(lambda service: service.keys.list())``."""

        async def asked() -> T:
            return await ask(self._box.service)

        return self._thread.call(asked())

    # What follows is written by packaging/sdk/write.py, out of async_box.py.

    def run(self, source: Source | None = None, **options: Unpack[Options]) -> Result:
        """Runs a program in a fresh sandbox, to its end. See ``Options``.

        ``source`` is the text of a script, or a ``Path``. How it ended is in the result, also where
        that is no success. When this is cancelled or interrupted, so is the evaluation.
        """
        return self._thread.call(self._box.run(source, **options))

    def submit(self, source: Source | None = None, **options: Unpack[Options]) -> Handle:
        """Queues a program, durably, and does not wait for it."""
        return Handle(self._thread.call(self._box.submit(source, **options)), self._thread)

    def submit_many(
        self, items: Iterable[Source | Mapping[str, Any]], **common: Unpack[Options]
    ) -> Sequence[Handle]:
        """Queues many programs. Each is a source, or a mapping of options with ``source`` in it.

        The path of a family stands for all of its tasks.
        ``common`` is for all of them, where they do not say otherwise.
        """
        items = list(items)
        return [
            Handle(one, self._thread)
            for one in self._thread.call(self._box.submit_many(items, **common))
        ]

    def map(
        self, items: Iterable[Source | Mapping[str, Any]], **common: Unpack[Options]
    ) -> Iterator[Result]:
        """Runs many programs, as ``submit_many`` takes them; gives each result as it comes.

        All are queued before the first result. What is left when this is closed goes on.
        """
        items = list(items)
        return self._thread.iterate(lambda: self._box.map(items, **common))

    def get(self, reference: str) -> Handle:
        """An evaluation by its id, or an unambiguous beginning of it or of its short form."""
        return Handle(self._thread.call(self._box.get(reference)), self._thread)

    def list(
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
        return self._thread.call(
            self._box.list(
                states=states,
                outcomes=outcomes,
                batch=batch,
                name=name,
                labels=labels,
                limit=limit,
                after=after,
            )
        )

    def read_artifact(self, evaluation_id: str, path: str) -> bytes:
        """A file that an evaluation left. Raises ``ArtifactNotFound``."""
        return self._thread.call(self._box.read_artifact(evaluation_id, path))

    def batches(self) -> Sequence[Batch]:
        """All batches, the newest first."""
        return self._thread.call(self._box.batches())

    def batch(self, name: str) -> Batch:
        """How many of a batch stand how. Raises ``BatchNotFound``."""
        return self._thread.call(self._box.batch(name))

    def limit_batch(self, name: str, concurrency: int | None) -> Batch:
        """How many of a batch may run at once; None for no limit but the pool's."""
        return self._thread.call(self._box.limit_batch(name, concurrency))

    def plan_batch(
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
        return self._thread.call(self._box.plan_batch(name, fail_fast=fail_fast, reduce=reduce))

    def queue(self) -> QueueStatus:
        """How the queue stands, and why nothing more starts where nothing does."""
        return self._thread.call(self._box.queue())

    def pause(self) -> None:
        """Nothing more starts; what runs goes on."""
        self._thread.call(self._box.pause())

    def resume(self) -> None:
        """Evaluations start again."""
        self._thread.call(self._box.resume())

    def resize(self, slots: int) -> None:
        """How many evaluations run at once."""
        self._thread.call(self._box.resize(slots))

    def activity(self) -> Sequence[Activity]:
        """What runs, at this moment: what each attempt is at, and what it uses."""
        return self._thread.call(self._box.activity())

    def host(self) -> HostReport:
        """The machine of the box, and how much of it is in use."""
        return self._thread.call(self._box.host())

    @contextmanager
    def sandbox(self, **options: Unpack[SandboxOptions]) -> Iterator[Sandbox]:
        """A sandbox for the length of a block, to run programs in. See ``SandboxOptions``."""
        with self._thread.entered(self._box.sandbox(**options)) as made:
            yield Sandbox(made, self._thread)

    def open_sandbox(self, reference: str) -> Sandbox:
        """A sandbox that somebody made, which is theirs to remove."""
        return Sandbox(self._thread.call(self._box.open_sandbox(reference)), self._thread)

    def feed(
        self, *, after: int | None = None, evaluation: str | None = None, batch: str | None = None
    ) -> Iterator[Event]:
        """What happens from now on, in order; with ``after`` what came behind that seq, too.

        A feed that broke off is resumed with the seq of its last event, and misses nothing.
        """
        return self._thread.iterate(
            lambda: self._box.feed(after=after, evaluation=evaluation, batch=batch)
        )
