"""The API while a hundred evaluations run: how soon it answers, and whether any is lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from evalbox.bench.readers import Task, follow, percentile
from evalbox.bench.report import Figure, Goal
from evalbox.bench.requests import Connection
from evalbox.bench.service import Service, running
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.errors import EvalboxError

#: Of a hundred requests; what is submitted runs once there is a slot.
MIX = {"list": 30, "get": 30, "output": 15, "events": 15, "queue": 8, "submit": 2}
RATE = 30.0
_CONNECTIONS, _READERS = 8, 10
#: Seconds after which a request is given up.
_PATIENCE = 10.0
#: Sandboxes that start at the same time.
_AT_ONCE = 6
#: It prints now and then, until it is cancelled.
_PROGRAM = (
    "python3", "-c", "import time\nwhile True: print('tick', flush=True); time.sleep(5)",
)  # fmt: skip
_LIMITS = Limits(timeout=3600, memory=64 << 20)
#: Seconds for all sandboxes to start, for those of the load to end, and between looks.
_START, _END, _LOOK = 900.0, 600.0, 0.5
#: Seconds until the engine is done with the last start.
_SETTLED = 5.0


@dataclass(frozen=True, slots=True)
class Load:
    """``ids`` are what is asked about; ``until`` is in seconds since 1970."""

    socket: str
    ids: list[str]
    engine: str
    image: str
    until: float


@dataclass(slots=True)
class Answers:
    """Seconds from when a request was due, by what was asked; and the ids that were made."""

    times: dict[str, list[float]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


async def load(
    settings: Settings,
    directory: Path,
    *,
    count: int,
    measured: float,
    progress: Callable[[str], None],
) -> list[Figure]:
    environment = {"EVALBOX_SLOTS": str(_AT_ONCE)}
    async with running(directory / "load", settings, environment) as service:
        spec = EvaluationSpec(
            name="bench",
            command=_PROGRAM,
            image=settings.image,
            engine=settings.engine,
            limits=_LIMITS,
        )
        ids = [evaluation.id for evaluation in await service.box.submit([spec] * count)]
        try:
            progress(f"api: {count} evaluations begin")
            await _until_running(service, count)
            await asyncio.sleep(_SETTLED)
            progress(f"api: a mixed load for {measured:.0f} s while {count} run")
            answers, lags, cores = await _measure(service, settings, ids, measured)
            progress("api: all are let end")
            lost = await _lost(service, ids, answers.made)
        except BaseException:
            # Else the sandboxes would wait for a service that adopts them.
            await _end(service, ids)
            raise
    everything = [taken for times in answers.times.values() for taken in times]
    name = f"{count} running, "
    return [
        *(
            Figure(f"{name}{kind}: p99", percentile(times, 0.99) * 1000, "ms", len(times))
            for kind, times in answers.times.items()
        ),
        Figure(name + "API: p50", percentile(everything, 0.5) * 1000, "ms", len(everything)),
        Figure(
            name + "API: p99", percentile(everything, 0.99) * 1000, "ms", len(everything),
            Goal("<=", 50),
        ),
        Figure(
            name + "feed: lag p99", percentile(lags, 0.99) * 1000, "ms", len(lags),
            Goal("<=", 250),
        ),
        Figure(name + "service: processor", cores, "cores"),
        Figure(name + "requests failed", len(answers.failed), "", goal=Goal("<=", 0)),
        Figure(name + "evaluations lost", lost, "", count + len(answers.made), Goal("<=", 0)),
    ]  # fmt: skip


async def _until_running(service: Service, count: int) -> None:
    """A few at a time: started all at once, each would take longer than any may."""
    async with asyncio.timeout(_START):
        while (now := (await service.box.queue()).states.get(State.RUNNING, 0)) < count:
            await service.box.set_slots(min(count, now + _AT_ONCE))
            await asyncio.sleep(_LOOK)


async def _end(service: Service, ids: list[str]) -> list[Evaluation]:
    await service.box.cancel(ids)
    return [await service.box.wait(one) for one in ids]


async def _measure(
    service: Service, settings: Settings, ids: list[str], measured: float
) -> tuple[Answers, list[float], float]:
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        # Their start is not to be a part of it.
        await asyncio.gather(*(loop.run_in_executor(pool, _noop) for _ in range(2)))
        until = time.time() + measured
        after = await service.box.last_seq()
        task = Task("sse", _READERS, after, until + 1.0, socket=service.socket)
        asked = Load(service.socket, ids, settings.engine, settings.image, until)
        before = service.processor_seconds()
        answers, found = await asyncio.gather(
            loop.run_in_executor(pool, ask, asked), loop.run_in_executor(pool, follow, task)
        )
        cores = (service.processor_seconds() - before) / (time.time() - until + measured)
    if found.disordered:
        raise EvalboxError("a reader of the feed missed events")
    return answers, found.lags, cores


async def _lost(service: Service, ids: list[str], made: list[str]) -> int:
    """How many did not run through, or did not end as they had to."""
    states = [(await service.box.get(one)).state for one in ids]
    async with asyncio.timeout(_END):
        cancelled = await _end(service, ids)
        short = [await service.box.wait(one) for one in made]
    return (
        sum(state is not State.RUNNING for state in states)
        + sum(one.state is not State.CANCELLED for one in cancelled)
        + sum(not _went_well(one) for one in short)
    )


def _went_well(evaluation: Evaluation) -> bool:
    return evaluation.outcome is Outcome.OK and evaluation.attempts == 1


def _noop() -> None:
    return


def ask(asked: Load) -> Answers:
    """To be run in a process of its own."""
    return asyncio.run(_ask(asked))


async def _ask(asked: Load) -> Answers:
    answers = Answers({kind: [] for kind in MIX})
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(_CONNECTIONS):
        connection = await Connection.open(asked.socket)
        # What is loaded when it is first asked for is not to be a part of it.
        for kind in MIX.keys() - {"submit"}:
            await connection.request(*_request(kind, asked.ids[0], asked))
        free.put_nowait(connection)
    targets = cycle(asked.ids)
    began = time.time()
    async with asyncio.TaskGroup() as group:
        for number, kind in enumerate(_kinds()):
            due = began + number / RATE
            if due > asked.until:
                break
            await asyncio.sleep(max(0.0, due - time.time()))
            request = _request(kind, next(targets), asked)
            group.create_task(_one(answers, asked.socket, free, kind, request, due))
    while not free.empty():
        await free.get_nowait().close()
    return answers


def _kinds() -> Iterator[str]:
    """Each as often as the mix says, spread evenly."""
    slots = sorted(
        ((place + 0.5) / share, kind) for kind, share in MIX.items() for place in range(share)
    )
    return cycle(kind for _, kind in slots)


def _request(kind: str, one: str, asked: Load) -> tuple[str, str, Any]:
    spec = {"command": ["true"], "image": asked.image, "engine": asked.engine}
    method, path, body = {
        "list": ("GET", "/evaluations?limit=50", None),
        "get": ("GET", f"/evaluations/{one}", None),
        "output": ("GET", f"/evaluations/{one}/output", None),
        "events": ("GET", f"/evaluations/{one}/events", None),
        "queue": ("GET", "/queue", None),
        "submit": ("POST", "/evaluations", spec),
    }[kind]
    return method, "/api/v1" + path, body


async def _one(
    answers: Answers,
    socket: str,
    free: asyncio.Queue[Connection],
    kind: str,
    request: tuple[str, str, Any],
    due: float,
) -> None:
    connection = await free.get()
    try:
        async with asyncio.timeout(_PATIENCE):
            status, body = await connection.request(*request)
    except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        answers.failed.append(f"{request[0]} {request[1]}: {error!r}")
        await connection.close()
        free.put_nowait(await Connection.open(socket))
        return
    finally:
        # One that was not answered at all counts as one that was answered so late.
        answers.times[kind].append(time.time() - due)
    free.put_nowait(connection)
    if status not in (200, 201):
        answers.failed.append(f"{request[0]} {request[1]}: {status}")
    elif kind == "submit":
        answers.made.append(json.loads(body)["id"])
