"""What the evaluations of a batch left, as files for the step that reduces it.

``/in/results.json`` is a list with an object for each of them, in the order of task, agent and
epoch: ``id``, ``task``, ``agent``, ``epoch``, ``state``, ``outcome``, ``exit_code``, ``error``,
``score`` (``kind``, ``value``, ``reason``) and ``directory``, in which are ``stdout``, ``stderr``
and, beneath ``artifacts``, what it left. What is empty is not there.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from evalbox.domain.evaluation import AGENT, Evaluation, InputFile
from evalbox.domain.experiment import EPOCH
from evalbox.domain.paths import beneath, destination
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput
from evalbox.store.output_reader import read_output
from evalbox.store.store import Store
from evalbox.tasks.inputs import MAX_FILES, MAX_TOTAL
from evalbox.wire import document

PLACE = "/in"
_PIECE = 1 << 20


async def gather(store: Store, items: Sequence[Evaluation]) -> list[InputFile]:
    """Stores the files. Raises ``InvalidInput`` where they are too large, or too many."""
    gathering = _Gathering(store)
    results = []
    for number, item in enumerate(in_order(items), start=1):
        directory = f"{PLACE}/{number:05d}"
        results.append(_result(item, directory))
        if item.attempts:
            await gathering.output(item, directory)
            await gathering.artifacts(item, directory)
    text = json.dumps(results, ensure_ascii=False, indent=1) + "\n"
    await gathering.add(f"{PLACE}/results.json", text.encode("utf-8", "replace"))
    return gathering.files


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
    def __init__(self, store: Store) -> None:
        self._store = store
        self._size = 0
        self.files: list[InputFile] = []

    async def output(self, item: Evaluation, directory: str) -> None:
        source = self._store.attempt_dir(item.id, item.attempts)
        with tempfile.TemporaryDirectory(prefix="evalbox-") as place:
            for path in await asyncio.to_thread(_streams, source, Path(place)):
                await self.add(f"{directory}/{path.name}", path)

    async def artifacts(self, item: Evaluation, directory: str) -> None:
        source = self._store.artifact_dir(item.id, item.attempts)
        for record in await self._store.artifacts(item.id, item.attempts):
            if record.kind == "file" and record.path.isprintable():
                place = f"{directory}/artifacts/{beneath(record.path)}"
                await self.add(destination(place, field="reduce"), source / record.path)

    async def add(self, path: str, source: Path | bytes) -> None:
        if isinstance(source, bytes):
            blob, size = await self._store.put_blob(source)
        else:
            blob, size = await self._store.put_blob_file(source)
        self.files.append(InputFile(path, blob, size))
        self._size += size
        if self._size > MAX_TOTAL or len(self.files) >= MAX_FILES:
            raise InvalidInput(
                f"the others left over {format_size(MAX_TOTAL)} or {MAX_FILES:,} files",
                hint="keep fewer artifacts, or reduce on your own what evalbox export gives",
                field="reduce",
            )


def _streams(source: Path, place: Path) -> list[Path]:
    """Standard output and error of an attempt, each in a file where there is any."""
    paths = {1: place / "stdout", 2: place / "stderr"}
    offset = 0
    with paths[1].open("wb") as out, paths[2].open("wb") as err:
        files = {1: out, 2: err}
        while pieces := read_output(source, offset, _PIECE):
            for piece in pieces:
                files[piece.stream].write(piece.data)
            offset = pieces[-1].offset + len(pieces[-1].data)
    return [path for path in paths.values() if path.stat().st_size]


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
