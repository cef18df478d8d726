"""A log as the bytes of a file, in little memory however many samples it has."""

from __future__ import annotations

import asyncio
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from evalbox.errors import EvaluationNotFound
from evalbox.export.inspect_log.header import Course, Plan, header, start
from evalbox.export.inspect_log.material import Material, gather
from evalbox.export.inspect_log.sample import sample, summary
from evalbox.service.box import Box

#: Samples that are written at once.
_TURN = 20
#: Bytes of a temporary file that are held in memory, and that are read of it at once.
_HELD, _PIECE = 1 << 20, 1 << 18


@dataclass(frozen=True, slots=True)
class _Made:
    """A sample, and its summary, as JSON."""

    name: str
    sample: bytes
    summary: bytes


async def archive(box: Box, plan: Plan, *, output: bool) -> AsyncIterator[bytes]:
    """A ``.eval``: a ZIP archive with a file for each sample, and one for what a list shows."""
    sink, course = _Sink(), Course()
    with (
        tempfile.SpooledTemporaryFile(_HELD) as listed,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as log,  # type: ignore[call-overload]
    ):
        _put(log, "_journal/start.json", _json(start(plan)))
        number = 0
        async for turn in _turns(box, plan, course, output=output):
            number += 1
            await asyncio.to_thread(_put_turn, log, listed, number, turn)
            yield sink.taken()
        await asyncio.to_thread(_put_end, log, listed, plan, course)
    yield sink.taken()


async def document(box: Box, plan: Plan, *, output: bool) -> AsyncIterator[bytes]:
    """The same as one JSON object, with the samples behind what is said of all of them."""
    course = Course()
    with tempfile.SpooledTemporaryFile(_HELD) as samples:
        async for turn in _turns(box, plan, course, output=output):
            await asyncio.to_thread(_add, samples, [made.sample for made in turn])
        yield _json(header(plan, course))[:-1] + b',"samples":'
        for data in _listed(samples):
            yield data
            await asyncio.sleep(0)
        if plan.epochs > 1:
            yield b',"reductions":' + _json(course.tally.reductions())
        yield b"}\n"


async def _turns(
    box: Box, plan: Plan, course: Course, *, output: bool
) -> AsyncIterator[list[_Made]]:
    """What was removed meanwhile is left out."""
    for first in range(0, len(plan.entries), _TURN):
        turn = []
        for entry in plan.entries[first : first + _TURN]:
            try:
                item = await box.get(entry.evaluation)
                material = await gather(box, item, output=output)
            except EvaluationNotFound:
                continue
            turn.append(await asyncio.to_thread(_make, material, entry.sample, entry.epoch, course))
        yield turn


def _make(material: Material, name: str, epoch: int, course: Course) -> _Made:
    made = sample(material, name, epoch)
    course.add(material.item, made, material.began, material.ended)
    return _Made(f"samples/{name}_epoch_{epoch}.json", _json(made), _json(summary(made)))


def _put_turn(log: zipfile.ZipFile, listed: IO[bytes], number: int, turn: Sequence[_Made]) -> None:
    for made in turn:
        _put(log, made.name, made.sample)
    summaries = [made.summary for made in turn]
    _put(log, f"_journal/summaries/{number}.json", b"[" + b",".join(summaries) + b"]")
    _add(listed, summaries)


def _put_end(log: zipfile.ZipFile, listed: IO[bytes], plan: Plan, course: Course) -> None:
    with log.open(_entry("summaries.json"), "w") as file:
        for data in _listed(listed):
            file.write(data)
    if plan.epochs > 1:
        _put(log, "reductions.json", _json(course.tally.reductions()))
    _put(log, "header.json", _json(header(plan, course)))


def _put(log: zipfile.ZipFile, name: str, data: bytes) -> None:
    log.writestr(_entry(name), data)


def _entry(name: str) -> zipfile.ZipInfo:
    """Without a time, so that the same makes the same archive."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _add(file: IO[bytes], documents: Sequence[bytes]) -> None:
    for data in documents:
        file.write(b"," + data)


def _listed(file: IO[bytes]) -> Iterator[bytes]:
    """As a JSON list what ``_add`` wrote, which has a comma before each."""
    file.seek(1)
    yield b"["
    while data := file.read(_PIECE):
        yield data
    yield b"]"


def _json(value: Any) -> bytes:
    """Halves of characters, which are no UTF-8, become question marks."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


@dataclass
class _Sink:
    """Written to by the archive, which cannot go back in it."""

    pieces: list[bytes] = field(default_factory=list)

    def write(self, data: bytes) -> int:
        self.pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """All of it is there already."""

    def taken(self) -> bytes:
        data = b"".join(self.pieces)
        self.pieces = []
        return data
