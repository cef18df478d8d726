"""What was asked for, read and checked, before any of its files is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from evalbox.domain.evaluation import EvaluationSpec
from evalbox.requests.making import Progress, Workshop, in_silence
from evalbox.tasks.base import TaskFile


class Asked(Protocol):
    """What a request was read into, whatever is run. ``spec`` is what all of it has in common."""

    @property
    def spec(self) -> EvaluationSpec: ...

    async def specs(
        self, workshop: Workshop, progress: Progress = ..., /
    ) -> list[EvaluationSpec]: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in which nothing can be refused any more but by the box."""

    spec: EvaluationSpec
    files: tuple[TaskFile, ...]
    stdin: TaskFile | None = None
    repeat: int = 1

    async def specs(
        self, workshop: Workshop, _progress: Progress = in_silence
    ) -> list[EvaluationSpec]:
        """Stores the files; gives one specification for each evaluation."""
        upload = workshop.upload
        inputs = tuple([await file.upload(upload) for file in self.files])
        stdin = None if self.stdin is None else await self.stdin.upload(upload)
        spec = replace(self.spec, inputs=inputs, stdin=stdin)
        if self.repeat == 1 or spec.idempotency_key is None:
            return [spec] * self.repeat
        return [
            replace(spec, idempotency_key=f"{spec.idempotency_key}/{number}")
            for number in range(1, self.repeat + 1)
        ]
