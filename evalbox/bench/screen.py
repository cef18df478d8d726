"""The screen over a long history, as a terminal at the end of a slow line has it."""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from evalbox.bench import lagging
from evalbox.bench.readers import percentile
from evalbox.bench.report import Figure, Goal
from evalbox.bench.service import UNHINDERED, own_command, running
from evalbox.bench.terminal import Terminal, on_terminal
from evalbox.bench.unhindered import SLOTS, unhindered_box
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.errors import EvalboxError, ServiceUnreachable
from evalbox.host.sockets import NAME
from evalbox.service.box import Box
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client

_AT_ONCE = 5000
_BATCHES, _TASKS = 50, 400
_AGENTS = ("gpt", "claude", "replay")
_ROW, _OLDEST = "history-", "OLDEST OF ALL"
#: The terminal is taken over by this.
_TAKEN = "\x1b[?1049h"
_CURSOR = "▌"
#: Every evaluation changes its row four times: queued, starting, running, ended.
_CHANGES, _WANTED = 4, 100
_LIFE = ("sleep", "0.5")
#: Seconds between keys, from and to; seconds until all that is slow at first is done.
_KEYS, _SETTLED = (0.05, 0.25), 3.0
#: Seconds for all of the history to be read, and between looks.
_LOADING, _LOOK = 300.0, 0.1
_FAR = {"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"}


@dataclass(frozen=True, slots=True)
class _Busy:
    """What ``seconds`` of changes cost; ``changes`` of rows came in a second."""

    cores: float
    rate: float
    changes: float
    keys: list[float]


async def screen(
    settings: Settings,
    directory: Path,
    *,
    evaluations: int,
    starts: int,
    seconds: float,
    progress: Callable[[str], None],
) -> list[Figure]:
    """``evaluations`` have ended before; while it is measured, others come and go."""
    where = directory / "screen"
    progress(f"screen: {evaluations:,} evaluations are run")
    await _fill(settings, where, evaluations)
    progress("screen: starts")
    first = [await _start(where) for _ in range(starts)]
    progress("screen: with the queue in the same process")
    embedded = await _embedded(where, directory / "lags", seconds)
    progress("screen: with the queue in another process")
    attached = await _attached(settings, where, seconds)
    return [
        Figure("screen: first rows after the process begins",
               1000 * statistics.median(whole for whole, _ in first), "ms", starts),
        Figure("screen: first rows after it takes the terminal",
               1000 * statistics.median(taken for _, taken in first), "ms", starts,
               Goal("<=", 500)),
        *embedded,
        *attached,
    ]  # fmt: skip


# --- the history ---


async def _fill(settings: Settings, directory: Path, count: int) -> None:
    async with unhindered_box(settings, directory) as box:
        made = []
        for start in range(0, count, _AT_ONCE):
            numbers = range(start, min(start + _AT_ONCE, count))
            made = [one.id for one in await box.submit([_spec(number) for number in numbers])]
            await box.wait(made[-1])
        for one in made[-SLOTS:]:
            await box.wait(one)


def _spec(number: int) -> EvaluationSpec:
    return EvaluationSpec(
        name=f"{_ROW}{number % _TASKS}" if number else _OLDEST,
        command=("true",) if number % 7 else ("false",),
        image="fake/image",
        engine="fake",
        batch=f"batch-{number % _BATCHES}",
        labels={"agent": _AGENTS[number % len(_AGENTS)], "sample": str(number)},
    )


# --- what is measured ---


async def _start(where: Path) -> tuple[float, float]:
    """Seconds to the first rows: from the beginning, and from when the terminal is taken."""
    async with _shown(where, {}) as terminal:
        taken = await terminal.until(_TAKEN)
        rows = await terminal.until(_ROW)
        return rows - terminal.begun, rows - taken


async def _embedded(where: Path, file: Path, seconds: float) -> list[Figure]:
    """The lag counts from the first rows on: while the history loads, and under changes."""
    idle = file.with_name("idle")
    command = (sys.executable, "-m", "evalbox.bench.lagging")
    async with (
        on_terminal([*command, str(idle)], {}),
        _shown(where, _FAR, command=(*command, str(file))) as terminal,
    ):
        since = await terminal.until(_ROW)
        await _loaded(terminal)
        loaded = time.monotonic()
        box = RemoteBox(Client("http://box", socket=str(where / NAME)))
        try:
            await _served(box)
            busy = await _under_changes(terminal, box, seconds)
            await _filtered(terminal)
        finally:
            await box.close()
        until = time.monotonic()
        memory = terminal.memory()
    loading = await _lags(file, since, loaded)
    working = await _lags(file, loaded, until)
    name = "screen, embedded: "
    return [
        _keys(name, busy),
        _lag(name + "loop lag while the history loads, p99", loading),
        _lag(name + "loop lag under changes and a filter, p99", working),
        Figure(
            name + "the same of a process that does nothing, p99",
            1000 * percentile(await _lags(idle, loaded, until), 0.99),
            "ms",
        ),
        Figure(name + "memory", memory, "MiB", goal=Goal("<=", 150)),
    ]


async def _lags(file: Path, begin: float, end: float) -> list[float]:
    found = await asyncio.to_thread(lagging.read, file)
    return [lag for when, lag in found if begin <= when < end]


def _lag(name: str, lags: list[float]) -> Figure:
    return Figure(name, 1000 * percentile(lags, 0.99), "ms", len(lags), Goal("<=", 10))


async def _attached(settings: Settings, where: Path, seconds: float) -> list[Figure]:
    environment = {"EVALBOX_ENGINE": "fake", "EVALBOX_SLOTS": str(SLOTS)}
    async with running(where, settings, environment) as service, _shown(where, _FAR) as terminal:
        await _loaded(terminal)
        busy = await _under_changes(terminal, service.box, seconds)
        memory = terminal.memory()
    name = "screen, attached: "
    return [
        _keys(name, busy),
        Figure(name + "changes of rows", busy.changes, "/s"),
        Figure(name + "processor", 100 * busy.cores, "% of a core", goal=Goal("<=", 10)),
        Figure(name + "sent to the terminal", busy.rate / 1000, "KB/s", goal=Goal("<=", 10)),
        Figure(name + "memory", memory, "MiB", goal=Goal("<=", 150)),
    ]


def _keys(name: str, busy: _Busy) -> Figure:
    return Figure(
        name + "a key's effect painted, p99", 1000 * percentile(busy.keys, 0.99), "ms",
        len(busy.keys), Goal("<=", 50),
    )  # fmt: skip


@asynccontextmanager
async def _shown(
    where: Path, environment: Mapping[str, str], *, command: tuple[str, ...] = ()
) -> AsyncIterator[Terminal]:
    arguments = (*(command or own_command()), "--data-dir", str(where))
    chosen = UNHINDERED | {
        "EVALBOX_ENGINE": "fake", "EVALBOX_SLOTS": str(SLOTS), "EVALBOX_PORT": "0",
        "EVALBOX_DRAIN": "0",
    }  # fmt: skip
    async with on_terminal(arguments, {**chosen, **environment}) as terminal:
        yield terminal


async def _loaded(terminal: Terminal) -> None:
    """Until all of the history has been read, of which the oldest is the last."""
    await terminal.until(_ROW)
    end = time.monotonic() + _LOADING
    while _OLDEST.encode() not in terminal.shown:
        if time.monotonic() > end or not terminal.alive:
            raise EvalboxError("the screen did not read all of the history")
        terminal.type("G")
        await asyncio.sleep(1.0)
    terminal.type("g")


async def _served(box: Box) -> None:
    """The screen is there before others may attach."""
    async with asyncio.timeout(_LOADING):
        while True:
            try:
                await box.queue()
            except ServiceUnreachable:
                await asyncio.sleep(_LOOK)
            else:
                return


async def _under_changes(terminal: Terminal, box: Box, seconds: float) -> _Busy:
    """First as it is left alone, then with keys."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_change(box, stop))
        await asyncio.sleep(_SETTLED)
        seq, began, spent = await box.last_seq(), time.monotonic(), terminal.processor_seconds()
        sent = len(terminal.shown)
        await asyncio.sleep(seconds)
        took = time.monotonic() - began
        busy = _Busy(
            (terminal.processor_seconds() - spent) / took,
            (len(terminal.shown) - sent) / took,
            (await box.last_seq() - seq) / took,
            await _pressed(terminal, seconds),
        )
        stop.set()
    return busy


async def _change(box: Box, stop: asyncio.Event) -> None:
    count = _WANTED // _CHANGES
    number = 1
    while not stop.is_set():
        began = time.monotonic()
        specs = [replace(_spec(number + one), command=_LIFE) for one in range(count)]
        await box.submit(specs)
        number += count
        await asyncio.sleep(max(0.0, 1.0 - (time.monotonic() - began)))


async def _pressed(terminal: Terminal, seconds: float) -> list[float]:
    """How long each key took to be seen."""
    times: list[float] = []
    chosen = random.Random(1)  # noqa: S311 - nothing secret
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await asyncio.sleep(chosen.uniform(*_KEYS))
        before = len(terminal.shown)
        began = time.monotonic()
        # Rows come and go meanwhile: from the first row there is always a way down, and back.
        terminal.type("jg"[len(times) % 2])
        times.append(await terminal.until(_CURSOR, behind=before) - began)
    return times


async def _filtered(terminal: Terminal) -> None:
    """A filter is typed that goes through all of the history."""
    terminal.type("/")
    for key in "history !7$":
        terminal.type(key)
        await asyncio.sleep(0.3)
    await asyncio.sleep(_SETTLED)
