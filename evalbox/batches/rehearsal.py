"""What would be run, without running or storing anything."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalbox.batches.file import BatchFile
from evalbox.batches.plan import Unit
from evalbox.batches.run import members, standing_of
from evalbox.domain.building import Built, ImageBuild
from evalbox.domain.evaluation import Evaluation
from evalbox.errors import EvalboxError
from evalbox.requests.making import Builder, Progress, in_silence
from evalbox.service.box import Box

_PIECE = 1 << 20
_UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Line:
    """A task by an agent; what is there of a family is not ``known`` before its image is built."""

    task: str
    agent: str
    epochs: int
    known: bool = False
    new: int = 0
    waiting: int = 0
    done: int = 0

    def counts(self) -> list[str]:
        told = [str(one) if self.known else _UNKNOWN for one in (self.new, self.waiting, self.done)]
        return [str(self.epochs), *told]

    def document(self) -> dict[str, Any]:
        told = {"to_run": self.new, "waiting": self.waiting, "done": self.done}
        held = told if self.known else dict.fromkeys(told)
        return {"task": self.task, "agent": self.agent, "epochs": self.epochs, **held}


async def rehearse(
    box: Box, file: BatchFile, made: Sequence[Unit], *, failed_too: bool
) -> list[Line]:
    there = await members(box, file.name)
    return [
        line for unit in made for line in await _lines(file, unit, there, failed_too=failed_too)
    ]


async def _lines(
    file: BatchFile, unit: Unit, there: Sequence[Evaluation], *, failed_too: bool
) -> list[Line]:
    if unit.family:
        return [Line(unit.title, unit.agent, file.epochs)]
    specs = await unit.specs(file.name, file.epochs, _Desk(), in_silence)
    found = standing_of(specs, there, failed_too=failed_too)
    counts = (len(found.new) + len(found.again), len(found.waiting), len(found.done))
    return [Line(unit.title, unit.agent, file.epochs, True, *counts)]


class _Desk:
    """A workshop in which nothing is kept."""

    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        return await asyncio.to_thread(_digest, source)

    @property
    def images(self) -> Builder:
        return _NoBuilder()


class _NoBuilder:
    async def prepare(
        self,
        build: ImageBuild,
        progress: Progress,
        *,
        base: str,
        engine: str = "",
        env: Mapping[str, str] | None = None,
    ) -> Built:
        raise EvalboxError("nothing is built in a rehearsal")


def _digest(source: Path | bytes) -> tuple[str, int]:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest(), len(source)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as file:
        while data := file.read(_PIECE):
            digest.update(data)
            size += len(data)
    return digest.hexdigest(), size
