"""A Box that outlives the service which it talks to."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.batch import Batch
from evalbox.domain.check import Check
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, Priority
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport
from evalbox.domain.records import ArtifactRecord, EvaluationFilter, OutputPiece, QueueStatus
from evalbox.domain.reduction import BatchPlan
from evalbox.domain.report import TaskReport
from evalbox.domain.sandbox import ExecSpec
from evalbox.domain.state import FINAL
from evalbox.errors import ServiceUnreachable
from evalbox.service.box import Audit, Box, Keys
from evalbox.service.images import Images
from evalbox.service.sandbox_box import Sandboxes, SandboxExec
from evalbox.service.webhooks import Webhooks

T = TypeVar("T")

#: What goes away within so many seconds, so many times in a row, is given up.
_RELAPSE, _MOST_RELAPSES = 1.0, 20

#: Gives the box that takes the place of one which went away, or raises ``ServiceUnreachable``.
Reopen = Callable[[ServiceUnreachable], Awaitable[Box]]


class SteadyBox:
    """Implements ``Box`` by another one, and goes on with ``reopen``'s where that went away.

    What may be asked twice is asked again; submitting is made such by an idempotency key.
    ``retry``, ``remove``, ``prioritize``, ``set_score`` and ``shell`` are asked again only where
    they surely had no effect, and what belongs to ``keys``, ``images`` and the like never. Streams
    go on behind what they gave last. The boxes are their opener's to close.
    """

    def __init__(self, box: Box, reopen: Reopen) -> None:
        self._box = box
        self._reopen = reopen
        self._reopening = asyncio.Lock()
        self._recoveries, self._relapses, self._recovered_at = 0, 0, 0.0

    async def close(self) -> None:
        """Nothing is its own."""

    async def _ask(self, ask: Callable[[Box], Awaitable[T]], *, twice: bool = True) -> T:
        while True:
            box, seen = self._box, self._recoveries
            try:
                return await ask(box)
            except ServiceUnreachable as error:
                if error.begun and not twice:
                    raise
                await self._recover(seen, error)

    async def _recover(self, seen: int, error: ServiceUnreachable) -> None:
        """``seen`` is how many recoveries had been when that began which failed."""
        async with self._reopening:
            # Of several that found it gone, the first has looked for another.
            if self._recoveries != seen:
                return
            soon = asyncio.get_running_loop().time() - self._recovered_at < _RELAPSE
            self._relapses = self._relapses + 1 if soon else 0
            if self._relapses > _MOST_RELAPSES:
                raise error
            self._box = await self._reopen(error)
            self._recovered_at = asyncio.get_running_loop().time()
            self._recoveries += 1

    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        return await self._ask(lambda box: box.upload(source))

    async def read_blob(self, blob: str) -> AsyncIterator[bytes]:
        async for data in self._whole(lambda box: box.read_blob(blob)):
            yield data

    async def submit(self, specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        keyed = [
            spec if spec.idempotency_key else replace(spec, idempotency_key=secrets.token_hex(16))
            for spec in specs
        ]
        return await self._ask(lambda box: box.submit(keyed))

    async def resolve(self, reference: str) -> str:
        return await self._ask(lambda box: box.resolve(reference))

    async def get(self, evaluation_id: str) -> Evaluation:
        return await self._ask(lambda box: box.get(evaluation_id))

    async def list(
        self, query: EvaluationFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[Evaluation]:
        return await self._ask(lambda box: box.list(query, limit=limit, after=after))

    async def attempts(self, evaluation_id: str) -> Sequence[Attempt]:
        return await self._ask(lambda box: box.attempts(evaluation_id))

    async def samples(self, evaluation_id: str, attempt: int) -> Sequence[tuple[float, Usage]]:
        return await self._ask(lambda box: box.samples(evaluation_id, attempt))

    async def output(
        self,
        evaluation_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        follow: bool = False,
    ) -> AsyncIterator[OutputPiece]:
        number = attempt or max(1, (await self.get(evaluation_id)).attempts)
        while True:
            async for piece in self._output_of(evaluation_id, number, offset, follow):
                yield piece
            if not follow or attempt is not None:
                return
            # Asked for attempt by attempt, as an offset means nothing without its attempt.
            if (await self.get(evaluation_id)).attempts <= number:
                return
            number, offset = number + 1, 0

    async def _output_of(
        self, evaluation_id: str, number: int, offset: int, follow: bool
    ) -> AsyncIterator[OutputPiece]:
        while True:
            box, seen = self._box, self._recoveries
            try:
                pieces = box.output(evaluation_id, attempt=number, offset=offset, follow=follow)
                async with aclosing(pieces) as source:  # type: ignore[type-var]
                    async for piece in source:
                        offset = piece.offset + len(piece.data)
                        yield piece
                return
            except ServiceUnreachable as error:
                await self._recover(seen, error)

    async def wait(self, evaluation_id: str) -> Evaluation:
        return await self._ask(lambda box: box.wait(evaluation_id))

    async def cancel(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        asked = False

        async def cancel(box: Box) -> Sequence[Evaluation]:
            nonlocal asked
            if asked:
                found = [await box.get(one) for one in ids]
                left = [item.id for item in found if item.state not in FINAL]
                if not left:
                    return found
                await box.cancel(left)
                return [await box.get(one) for one in ids]
            asked = True
            return await box.cancel(ids)

        return await self._ask(cancel)

    async def retry(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        return await self._ask(lambda box: box.retry(ids), twice=False)

    async def remove(self, ids: Sequence[str]) -> None:
        await self._ask(lambda box: box.remove(ids), twice=False)

    async def prioritize(self, ids: Sequence[str], priority: Priority) -> Sequence[Evaluation]:
        return await self._ask(lambda box: box.prioritize(ids, priority), twice=False)

    async def set_score(
        self, evaluation_id: str, value: float, *, by: str, note: str = ""
    ) -> Evaluation:
        return await self._ask(
            lambda box: box.set_score(evaluation_id, value, by=by, note=note), twice=False
        )

    async def report(self, evaluation_id: str, *, attempt: int | None = None) -> TaskReport | None:
        return await self._ask(lambda box: box.report(evaluation_id, attempt=attempt))

    async def activity(self) -> Sequence[Activity]:
        return await self._ask(lambda box: box.activity())

    async def shell(self, evaluation_id: str, spec: ExecSpec) -> SandboxExec:
        return await self._ask(lambda box: box.shell(evaluation_id, spec), twice=False)

    async def explain(self, evaluation_id: str) -> str:
        return await self._ask(lambda box: box.explain(evaluation_id))

    async def artifacts(
        self, evaluation_id: str, *, attempt: int | None = None
    ) -> Sequence[ArtifactRecord]:
        return await self._ask(lambda box: box.artifacts(evaluation_id, attempt=attempt))

    async def read_artifact(
        self, evaluation_id: str, path: str, *, attempt: int | None = None
    ) -> AsyncIterator[bytes]:
        async for data in self._whole(
            lambda box: box.read_artifact(evaluation_id, path, attempt=attempt)
        ):
            yield data

    async def _whole(self, read: Callable[[Box], AsyncIterator[bytes]]) -> AsyncIterator[bytes]:
        """What is always the same, read from the beginning again after a recovery."""
        given = 0
        while True:
            box, seen, position = self._box, self._recoveries, 0
            try:
                content = read(box)
                async with aclosing(content) as source:  # type: ignore[type-var]
                    async for data in source:
                        fresh = data[max(0, given - position) :]
                        position += len(data)
                        given += len(fresh)
                        if fresh:
                            yield fresh
                return
            except ServiceUnreachable as error:
                await self._recover(seen, error)

    async def batches(self) -> Sequence[Batch]:
        return await self._ask(lambda box: box.batches())

    async def batch(self, name: str) -> Batch:
        return await self._ask(lambda box: box.batch(name))

    async def plan_batch(self, name: str, plan: BatchPlan) -> Batch:
        return await self._ask(lambda box: box.plan_batch(name, plan))

    async def set_batch_concurrency(self, name: str, concurrency: int | None) -> Batch:
        return await self._ask(lambda box: box.set_batch_concurrency(name, concurrency))

    async def queue(self) -> QueueStatus:
        return await self._ask(lambda box: box.queue())

    async def pause(self) -> None:
        await self._ask(lambda box: box.pause())

    async def resume(self) -> None:
        await self._ask(lambda box: box.resume())

    async def set_slots(self, slots: int) -> None:
        await self._ask(lambda box: box.set_slots(slots))

    async def events(
        self,
        *,
        after: int = 0,
        follow: bool = False,
        evaluation_id: str | None = None,
        batch: str | None = None,
    ) -> AsyncIterator[Event]:
        while True:
            box, seen = self._box, self._recoveries
            try:
                events = box.events(
                    after=after, follow=follow, evaluation_id=evaluation_id, batch=batch
                )
                async with aclosing(events) as source:  # type: ignore[type-var]
                    async for event in source:
                        after = event.seq
                        yield event
                return
            except ServiceUnreachable as error:
                await self._recover(seen, error)

    async def require_engine(self, name: str = "") -> None:
        await self._ask(lambda box: box.require_engine(name))

    async def last_seq(self) -> int:
        return await self._ask(lambda box: box.last_seq())

    async def host(self, *, since: float | None = None) -> HostReport:
        return await self._ask(lambda box: box.host(since=since))

    def diagnose(self, engines: Sequence[str] = ()) -> AsyncIterator[Check]:
        return self._box.diagnose(engines)

    async def backup(self, target: Path) -> None:
        await self._ask(lambda box: box.backup(target))

    @property
    def images(self) -> Images:
        return self._box.images

    @property
    def keys(self) -> Keys:
        return self._box.keys

    @property
    def audit(self) -> Audit:
        return self._box.audit

    @property
    def sandboxes(self) -> Sandboxes:
        return self._box.sandboxes

    @property
    def webhooks(self) -> Webhooks:
        return self._box.webhooks
