"""An evaluation that was submitted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Unpack

from evalbox.domain.evaluation import Evaluation, Priority
from evalbox.domain.event import Event
from evalbox.domain.records import OutputPiece
from evalbox.domain.report import TaskReport
from evalbox.domain.sandbox import DEFAULT_COLLECTED, ExecReport
from evalbox.requests import values
from evalbox.sdk.async_sandbox import ExecOptions, exec_spec
from evalbox.sdk.result import Result
from evalbox.service.box import Box as ServiceBox
from evalbox.service.collecting import collect
from evalbox.service.sandbox_box import SandboxExec

_STDOUT = 1


class AsyncHandle:
    """One evaluation of a box. ``evaluation`` is how it stood when it was last looked at."""

    def __init__(self, box: ServiceBox, evaluation: Evaluation) -> None:
        self._box = box
        self.evaluation = evaluation

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.evaluation.short_id} {self.evaluation.state}>"

    @property
    def id(self) -> str:
        return self.evaluation.id

    async def refresh(self) -> Evaluation:
        """How it stands now."""
        self.evaluation = await self._box.get(self.id)
        return self.evaluation

    async def wait(self, timeout: float | None = None) -> Evaluation:
        """Returns when it has ended. Raises ``TimeoutError``, after which it still goes on."""
        async with asyncio.timeout(timeout):
            self.evaluation = await self._box.wait(self.id)
        return self.evaluation

    async def result(self, timeout: float | None = None) -> Result:
        """What came of it, once it has ended. Raises ``TimeoutError``."""
        return await read_result(self._box, await self.wait(timeout))

    async def cancel(self) -> Evaluation:
        """Asks for its end; ``wait`` tells when that has come."""
        (self.evaluation,) = await self._box.cancel([self.id])
        return self.evaluation

    async def retry(self) -> Evaluation:
        """Queues it once more, when it has ended."""
        (self.evaluation,) = await self._box.retry([self.id])
        return self.evaluation

    async def remove(self) -> None:
        """Removes it with all its files, when it has ended."""
        await self._box.remove([self.id])

    async def prioritize(self, priority: Priority | str) -> Evaluation:
        """Puts it elsewhere in the line, while it is queued."""
        (self.evaluation,) = await self._box.prioritize([self.id], values.priority(priority))
        return self.evaluation

    async def set_score(self, value: float, *, by: str, note: str = "") -> Evaluation:
        """Says what it is worth, in the name of a person, once it is completed or has failed."""
        self.evaluation = await self._box.set_score(self.id, value, by=by, note=note)
        return self.evaluation

    async def report(self, *, attempt: int | None = None) -> TaskReport | None:
        """What the driver of a task reports of its life; None where there is none."""
        return await self._box.report(self.id, attempt=attempt)

    async def exec(
        self,
        command: str | Sequence[str],
        *,
        stdin: str | bytes = b"",
        limit: int = DEFAULT_COLLECTED,
        **options: Unpack[ExecOptions],
    ) -> ExecReport:
        """Runs a program beside the job, in its sandbox, to its end: as ``AsyncSandbox.exec``.

        Raises ``InvalidTransition`` where the job does not run.
        """
        data = stdin.encode() if isinstance(stdin, str) else stdin
        running = await self._box.shell(self.id, exec_spec(command, options, stdin=bool(data)))
        return await collect(running, data, limit)

    @asynccontextmanager
    async def shell(
        self, command: str | Sequence[str], *, stdin: bool = True, **options: Unpack[ExecOptions]
    ) -> AsyncIterator[SandboxExec]:
        """A program beside the job for the length of a block, to be talked to."""
        running = await self._box.shell(self.id, exec_spec(command, options, stdin=stdin))
        try:
            yield running
        finally:
            await running.close()

    async def explain(self) -> str:
        """In words, why it waits, or how it stands."""
        return await self._box.explain(self.id)

    def logs(
        self, *, follow: bool = True, attempt: int | None = None
    ) -> AsyncIterator[OutputPiece]:
        """What it prints, as it comes, until it has ended; without ``follow`` what is there."""
        return self._box.output(self.id, follow=follow, attempt=attempt)

    def events(self, *, after: int = 0, follow: bool = False) -> AsyncIterator[Event]:
        """What happened to it, in order."""
        return self._box.events(after=after, follow=follow, evaluation_id=self.id)

    async def read_artifact(self, path: str) -> bytes:
        """A file that it left. Raises ``ArtifactNotFound``."""
        return await read_artifact(self._box, self.id, path)


async def read_artifact(box: ServiceBox, evaluation_id: str, path: str) -> bytes:
    return b"".join([data async for data in box.read_artifact(evaluation_id, path)])


async def read_result(box: ServiceBox, evaluation: Evaluation) -> Result:
    """Of an evaluation that has ended."""
    streams: tuple[list[bytes], list[bytes]] = [], []
    if evaluation.attempts:
        async for piece in box.output(evaluation.id):
            streams[piece.stream != _STDOUT].append(piece.data)
    artifacts = await box.artifacts(evaluation.id) if evaluation.attempts else ()
    return Result(evaluation, b"".join(streams[0]), b"".join(streams[1]), tuple(artifacts))
