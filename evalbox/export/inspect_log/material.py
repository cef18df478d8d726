"""What a box has of one evaluation, as much of it as goes into a log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass

from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.limits import KIB
from evalbox.domain.records import OutputPiece
from evalbox.domain.report import TaskReport
from evalbox.errors import ArtifactNotFound
from evalbox.service.box import Box
from evalbox.tasks.standard.planning import SUBMISSION

#: Bytes of an output: as much of its beginning and of its end. Bytes of a submission.
MOST_OUTPUT, MOST_SUBMISSION = 64 * KIB, 64 * KIB


@dataclass(frozen=True, slots=True)
class Material:
    """``output`` is that of the last attempt, less the ``left_out`` bytes behind piece ``gap``.

    ``submission`` is text, and ends with a word on it where it goes on; None where there is none.
    """

    item: Evaluation
    attempts: Sequence[Attempt]
    output: Sequence[OutputPiece] = ()
    gap: int = 0
    left_out: int = 0
    report: TaskReport | None = None
    submission: str | None = None

    @property
    def last(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def began(self) -> float:
        """Seconds since 1970, as ``ended``; of the last attempt, where there was one."""
        last = self.last
        started = last.started_at or last.claimed_at if last else None
        return started or self.item.started_at or self.item.created_at

    @property
    def ended(self) -> float:
        return max(self.began, self.item.finished_at or self.item.updated_at)


async def gather(box: Box, item: Evaluation, *, output: bool) -> Material:
    attempts = await box.attempts(item.id)
    if not attempts:
        return Material(item, attempts)
    last = attempts[-1]
    report = await box.report(item.id, attempt=last.number)
    submission = None
    if report is not None and report.submission is not None and output:
        submission = await _submission(box, item.id, last.number, report.submission)
    if not output:
        return Material(item, attempts, report=report)
    left_out = max(0, last.output_bytes - 2 * MOST_OUTPUT)
    most = MOST_OUTPUT if left_out else 2 * MOST_OUTPUT
    pieces = await _output(box, last, 0, most)
    gap = len(pieces)
    if left_out:
        pieces += await _output(box, last, last.output_bytes - MOST_OUTPUT, MOST_OUTPUT)
    return Material(item, attempts, pieces, gap, left_out, report, submission)


async def _output(box: Box, attempt: Attempt, start: int, most: int) -> list[OutputPiece]:
    """From byte ``start`` on, exactly so many bytes where there are as many."""
    found: list[OutputPiece] = []
    end = start + most
    pieces = box.output(attempt.evaluation_id, attempt=attempt.number, offset=start)
    async with aclosing(pieces) as stream:  # type: ignore[type-var]
        async for piece in stream:
            if piece.offset >= end:
                break
            before = max(0, start - piece.offset)
            data = piece.data[before : end - piece.offset]
            found.append(OutputPiece(piece.offset + before, piece.stream, piece.at, data))
    return found


async def _submission(box: Box, evaluation_id: str, attempt: int, size: int) -> str | None:
    data = b""
    content = box.read_artifact(evaluation_id, SUBMISSION.lstrip("/"), attempt=attempt)
    try:
        async with aclosing(content) as stream:  # type: ignore[type-var]
            async for piece in stream:
                data += piece
                if len(data) >= MOST_SUBMISSION:
                    break
    except ArtifactNotFound:
        return None
    text = data[:MOST_SUBMISSION].decode(errors="replace")
    rest = max(size, len(data)) - MOST_SUBMISSION
    return f"{text}\n{left_out(rest)}" if rest > 0 else text


def left_out(size: int) -> str:
    return f"[evalbox: {size:,} bytes left out]"
