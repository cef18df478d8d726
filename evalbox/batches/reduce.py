"""The reduce step: an evaluation that gets what the others of a batch left, as files.

``/in/results.json`` is a list with an object for each of them, in the order of task, agent and
epoch: ``id``, ``task``, ``agent``, ``epoch``, ``state``, ``outcome``, ``exit_code``, ``error``,
``score`` (``kind``, ``value``, ``reason``) and ``directory``, in which are ``stdout``, ``stderr``
and, beneath ``artifacts``, what it left. What is empty is not there.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import tempfile
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import IO

from evalbox.batches.file import BatchFile, ReduceEntry
from evalbox.batches.plan import content, prepared, reduce_request
from evalbox.domain.evaluation import AGENT, Evaluation, EvaluationSpec, InputFile
from evalbox.domain.experiment import EPOCH
from evalbox.domain.paths import destination
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput
from evalbox.export.artifacts import beneath
from evalbox.requests.making import Progress
from evalbox.requests.request import Defaults
from evalbox.service.box import Box
from evalbox.tasks.inputs import MAX_FILES, MAX_TOTAL
from evalbox.wire import document

PLACE = "/in"
#: Evaluations whose files are read at once.
_AT_ONCE = 8


def check_reduce(file: BatchFile, entry: ReduceEntry, defaults: Defaults, *, now: float) -> None:
    """That it can be asked for is known before anything is run. Raises ``InvalidInput``."""
    request = reduce_request(file, entry)
    prepared(request, entry.node, entry.options.nodes, defaults, now=now)


async def reduce_spec(
    box: Box,
    file: BatchFile,
    entry: ReduceEntry,
    items: Sequence[Evaluation],
    defaults: Defaults,
    progress: Progress,
    *,
    now: float,
) -> EvaluationSpec:
    """The evaluation of it, upon ``items``. The same results make the same one."""
    asked = prepared(
        reduce_request(file, entry), entry.node, entry.options.nodes, defaults, now=now
    )
    (spec,) = await asked.specs(box, progress)
    try:
        inputs = await _Gathering(box).gather(items)
    except ExceptionGroup as errors:
        # The failure of one ended the others.
        raise errors.exceptions[0] from None
    spec = replace(spec, inputs=(*spec.inputs, *inputs))
    told = json.dumps([file.name, content(spec, _own_env(entry))])
    key = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
    return replace(spec, idempotency_key=f"reduce-{key[:40]}")


def _own_env(entry: ReduceEntry) -> tuple[str, ...]:
    return tuple(text for text in entry.options.given.get("env", ()) if "=" in text)


def in_order(items: Sequence[Evaluation]) -> list[Evaluation]:
    """By task, agent and epoch."""

    def place(item: Evaluation) -> tuple[str, str, int, str]:
        labels = item.spec.labels
        epoch = labels.get(EPOCH, "")
        return (
            item.spec.name,
            labels.get(AGENT, ""),
            int(epoch) if epoch.isdecimal() and len(epoch) < 10 else 0,
            item.id,
        )

    return sorted(items, key=place)


class _Gathering:
    """Stores files, as few and as small as there may be."""

    def __init__(self, box: Box) -> None:
        self._box = box
        self._files: list[InputFile] = []
        self._size = 0

    async def gather(self, items: Sequence[Evaluation]) -> list[InputFile]:
        results = []
        room = asyncio.Semaphore(_AT_ONCE)
        async with asyncio.TaskGroup() as group:
            for number, item in enumerate(in_order(items), start=1):
                directory = f"{PLACE}/{number:05d}"
                results.append(_result(item, directory))
                group.create_task(self._gather(item, directory, room))
        text = json.dumps(results, ensure_ascii=False, indent=1) + "\n"
        await self._store(f"{PLACE}/results.json", text.encode("utf-8", "replace"))
        # In an order that is the same whichever was there first.
        return sorted(self._files, key=lambda file: file.path)

    async def _gather(self, item: Evaluation, directory: str, room: asyncio.Semaphore) -> None:
        async with room:
            if item.attempts:
                await self._output(item, directory)
                await self._artifacts(item, directory)

    async def _output(self, item: Evaluation, directory: str) -> None:
        with tempfile.TemporaryDirectory(prefix="evalbox-") as place:
            paths = {1: Path(place, "stdout"), 2: Path(place, "stderr")}
            with paths[1].open("wb") as out, paths[2].open("wb") as err:
                files: dict[int, IO[bytes]] = {1: out, 2: err}
                async with aclosing(self._box.output(item.id)) as pieces:  # type: ignore[type-var]
                    async for piece in pieces:
                        files[piece.stream].write(piece.data)
            for path in paths.values():
                if path.stat().st_size:
                    await self._store(f"{directory}/{path.name}", path)

    async def _artifacts(self, item: Evaluation, directory: str) -> None:
        for record in await self._box.artifacts(item.id):
            if record.kind != "file" or not record.path.isprintable():
                continue
            place = destination(f"{directory}/artifacts/{beneath(record.path)}", field="reduce")
            with tempfile.NamedTemporaryFile(prefix="evalbox-") as file:
                content = self._box.read_artifact(item.id, record.path)
                async with aclosing(content) as data:  # type: ignore[type-var]
                    async for piece in data:
                        file.write(piece)
                file.flush()
                await self._store(place, Path(file.name))

    async def _store(self, path: str, source: Path | bytes) -> None:
        blob, size = await self._box.upload(source)
        self._files.append(InputFile(path, blob, size))
        self._size += size
        if self._size > MAX_TOTAL or len(self._files) >= MAX_FILES:
            raise InvalidInput(
                f"reduce: the others left over {format_size(MAX_TOTAL)} or {MAX_FILES:,} files",
                hint="keep fewer artifacts, or reduce on your own what evalbox export gives",
                field="reduce",
            )


def _result(item: Evaluation, directory: str) -> dict[str, object]:
    labels = item.spec.labels
    return {
        "id": item.id,
        "task": item.spec.name,
        "agent": labels.get(AGENT, ""),
        "epoch": labels.get(EPOCH, ""),
        "labels": dict(labels),
        "state": item.state,
        "outcome": item.outcome,
        "exit_code": item.exit_code,
        "error": item.error,
        "score": None if item.score is None else document.score(item.score),
        "directory": directory,
    }
