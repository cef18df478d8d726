"""An evaluation that was submitted, for programs without asyncio."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Unpack

from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.event import Event
from evalbox.domain.records import OutputPiece
from evalbox.domain.report import TaskReport
from evalbox.domain.sandbox import DEFAULT_COLLECTED, ExecReport
from evalbox.sdk.async_handle import AsyncHandle
from evalbox.sdk.async_sandbox import ExecOptions
from evalbox.sdk.result import Result
from evalbox.sdk.sandbox import Program
from evalbox.sdk.thread import LoopThread


class Handle:
    """As ``AsyncHandle``, but its methods return when it is done."""

    def __init__(self, handle: AsyncHandle, thread: LoopThread) -> None:
        self._handle = handle
        self._thread = thread

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.evaluation.short_id} {self.evaluation.state}>"

    @property
    def id(self) -> str:
        return self._handle.id

    @property
    def evaluation(self) -> Evaluation:
        """How it stood when it was last looked at."""
        return self._handle.evaluation

    # What follows is written by packaging/sdk/write.py, out of async_handle.py.

    def refresh(self) -> Evaluation:
        """How it stands now."""
        return self._thread.call(self._handle.refresh())

    def wait(self, timeout: float | None = None) -> Evaluation:
        """Returns when it has ended. Raises ``TimeoutError``, after which it still goes on."""
        return self._thread.call(self._handle.wait(timeout))

    def result(self, timeout: float | None = None) -> Result:
        """What came of it, once it has ended. Raises ``TimeoutError``."""
        return self._thread.call(self._handle.result(timeout))

    def cancel(self) -> Evaluation:
        """Asks for its end; ``wait`` tells when that has come."""
        return self._thread.call(self._handle.cancel())

    def retry(self) -> Evaluation:
        """Queues it once more, when it has ended."""
        return self._thread.call(self._handle.retry())

    def remove(self) -> None:
        """Removes it with all its files, when it has ended."""
        self._thread.call(self._handle.remove())

    def prioritize(self, priority: Priority | str) -> Evaluation:
        """Puts it elsewhere in the line, while it is queued."""
        return self._thread.call(self._handle.prioritize(priority))

    def set_score(self, value: float, *, by: str, note: str = "") -> Evaluation:
        """Says what it is worth, in the name of a person, once it is completed or has failed."""
        return self._thread.call(self._handle.set_score(value, by=by, note=note))

    def report(self, *, attempt: int | None = None) -> TaskReport | None:
        """What the driver of a task reports of its life; None where there is none."""
        return self._thread.call(self._handle.report(attempt=attempt))

    def exec(
        self,
        command: str | Sequence[str],
        *,
        stdin: str | bytes = b"",
        limit: int = DEFAULT_COLLECTED,
        **options: Unpack[ExecOptions],
    ) -> ExecReport:
        """Runs a program beside the job, in its sandbox, to its end: as ``Sandbox.exec``.

        Raises ``InvalidTransition`` where the job does not run.
        """
        return self._thread.call(self._handle.exec(command, stdin=stdin, limit=limit, **options))

    @contextmanager
    def shell(
        self, command: str | Sequence[str], *, stdin: bool = True, **options: Unpack[ExecOptions]
    ) -> Iterator[Program]:
        """A program beside the job for the length of a block, to be talked to."""
        with self._thread.entered(self._handle.shell(command, stdin=stdin, **options)) as made:
            yield Program(made, self._thread)

    def explain(self) -> str:
        """In words, why it waits, or how it stands."""
        return self._thread.call(self._handle.explain())

    def logs(self, *, follow: bool = True, attempt: int | None = None) -> Iterator[OutputPiece]:
        """What it prints, as it comes, until it has ended; without ``follow`` what is there."""
        return self._thread.iterate(lambda: self._handle.logs(follow=follow, attempt=attempt))

    def events(self, *, after: int = 0, follow: bool = False) -> Iterator[Event]:
        """What happened to it, in order."""
        return self._thread.iterate(lambda: self._handle.events(after=after, follow=follow))

    def read_artifact(self, path: str) -> bytes:
        """A file that it left. Raises ``ArtifactNotFound``."""
        return self._thread.call(self._handle.read_artifact(path))
