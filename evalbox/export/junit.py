"""Evaluations as JUnit XML: a suite for each batch, a case for each evaluation.

What passes is a case with nothing in it. What a task or its limits ended is a ``failure``, what
broke beside it (``task_error``, ``infra_error``, a score that is no score) an ``error``, what was
cancelled, has not ended or waits for a person's score ``skipped``.

A suite tells its counts before its cases, and evaluations of a batch need not follow each other. So
cases are kept in a temporary file until all have come, and any number fits in little memory.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import IO

from evalbox.domain.evaluation import AGENT, Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import FINAL
from evalbox.export.xml import content, element
from evalbox.service.box import Box
from evalbox.wire.moments import iso

#: Bytes of an output, from its end.
_TAIL = 4096
#: Bytes of the temporary file that are held in memory; cases that are written at once.
_HELD, _TURN = 1 << 20, 50
#: The suite of what is in no batch.
_ALONE = "evalbox"
_BROKEN = frozenset({Outcome.TASK_ERROR, Outcome.INFRA_ERROR})


@dataclass(slots=True)
class _Suite:
    """``pieces`` are where its cases stand in the file: offset and length."""

    pieces: list[tuple[int, int]] = field(default_factory=list)
    failures: int = 0
    errors: int = 0
    skipped: int = 0
    seconds: float = 0.0
    began: float | None = None


async def render(
    box: Box, items: AsyncIterator[Evaluation], *, output: bool
) -> AsyncIterator[bytes]:
    suites: dict[str, _Suite] = {}
    held: list[bytes] = []
    at = 0
    with tempfile.SpooledTemporaryFile(_HELD) as file:
        async for item in items:
            suite = suites.setdefault(item.spec.batch or _ALONE, _Suite())
            case = _case(item, suite, await _tail(box, item) if output else "")
            suite.pieces.append((at, len(case)))
            at += len(case)
            held.append(case)
            if len(held) == _TURN:
                await asyncio.to_thread(file.write, b"".join(held))
                held = []
        await asyncio.to_thread(file.write, b"".join(held))
        yield b'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n'
        for name in sorted(suites):
            async for piece in _suite(name, suites[name], file):
                yield piece
        yield b"</testsuites>\n"


async def _suite(name: str, suite: _Suite, file: IO[bytes]) -> AsyncIterator[bytes]:
    told = {
        "name": name,
        "tests": str(len(suite.pieces)),
        "failures": str(suite.failures),
        "errors": str(suite.errors),
        "skipped": str(suite.skipped),
        "time": f"{suite.seconds:.3f}",
    }
    if suite.began is not None:
        # The schema has no place for a zone, and takes what is there for UTC.
        told["timestamp"] = iso(suite.began)[:19]
    start, end = element("testsuite", told, "\n").rsplit("<", 1)
    yield start.encode()
    for first in range(0, len(suite.pieces), _TURN):
        pieces = suite.pieces[first : first + _TURN]
        yield await asyncio.to_thread(_read, file, pieces)
    yield f"<{end}\n".encode()


def _read(file: IO[bytes], pieces: Sequence[tuple[int, int]]) -> bytes:
    read = []
    for offset, length in pieces:
        file.seek(offset)
        read.append(file.read(length))
    return b"".join(read)


def _case(item: Evaluation, suite: _Suite, tail: str) -> bytes:
    seconds = 0.0
    if item.started_at is not None and item.finished_at is not None:
        seconds = max(0.0, item.finished_at - item.started_at)
        suite.began = min(suite.began or item.started_at, item.started_at)
    suite.seconds += seconds
    batch, agent = item.spec.batch or _ALONE, item.spec.labels.get(AGENT)
    told = {
        "classname": f"{batch}.{agent}" if agent else batch,
        "name": _name(item),
        "time": f"{seconds:.3f}",
    }
    return f"{element('testcase', told, _finding(item, suite, tail))}\n".encode()


def _name(item: Evaluation) -> str:
    """The same from run to run, so that a CI server knows it again."""
    parts = [f"{key}={value}" for key, value in item.spec.labels.items() if key != AGENT]
    return f"{item.spec.name} [{' '.join(parts)}]" if parts else item.spec.name


def _finding(item: Evaluation, suite: _Suite, tail: str) -> str | None:
    score, outcome = item.score, item.outcome
    if item.state not in FINAL or outcome in (None, Outcome.CANCELLED):
        suite.skipped += 1
        return element("skipped", {"message": item.state})
    said = f"evaluation {item.id}: {item.reason or outcome}\n{tail}"
    if outcome is not Outcome.OK:
        broken = outcome in _BROKEN
        suite.errors += broken
        suite.failures += not broken
        told = {"type": str(outcome), "message": item.error or item.reason or str(outcome)}
        return element("error" if broken else "failure", told, content(said))
    if score is not None and score.kind is ScoreKind.INVALID:
        suite.errors += 1
        return element("error", {"type": "score", "message": score.reason}, content(said))
    if score is not None and score.kind is ScoreKind.MANUAL:
        suite.skipped += 1
        return element("skipped", {"message": "its score is left to a person"})
    return None


async def _tail(box: Box, item: Evaluation) -> str:
    """The end of what it printed, where it did not pass."""
    if item.state not in FINAL or item.outcome in (None, Outcome.OK, Outcome.CANCELLED):
        return ""
    attempts = await box.attempts(item.id)
    if not attempts:
        return ""
    start = max(0, attempts[-1].output_bytes - _TAIL)
    data = b""
    pieces = box.output(item.id, attempt=attempts[-1].number, offset=start)
    async with aclosing(pieces) as output:  # type: ignore[type-var]
        async for piece in output:
            data += piece.data
    # What began before is cut in the middle of a line, maybe of a character.
    return data[-_TAIL:].decode(errors="replace")
