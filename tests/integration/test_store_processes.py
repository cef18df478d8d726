"""Several processes on one data directory, and processes that are killed."""

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from evalbox.domain.clock import SystemClock
from evalbox.domain.state import State
from evalbox.store.sqlite import open_reader
from evalbox.store.store import Store

PROGRAM = """
import asyncio, json, sys, time
from pathlib import Path
from evalbox.domain.clock import SystemClock
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.store.store import Store

async def main(directory, count, claims):
    spec = EvaluationSpec(name="x", command=("true",), image="i", engine="fake")
    async with await Store.open(Path(directory), clock=SystemClock()) as store:
        async def one():
            made = await store.submit([spec, spec], time.time())
            print(json.dumps([each.id for each in made]), flush=True)
            if claims:
                await store.claim(1, time.time(), free_cpus=99, free_memory=1 << 50)
        while count:
            count -= 1
            await asyncio.gather(one(), one(), one())

asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3] == "claim"))
"""


def start(directory: Path, count: int, what: str = "") -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), str(count), what], stdout=subprocess.PIPE
    )


def acknowledged(output: bytes) -> set[str]:
    lines = output.decode().splitlines(keepends=True)
    return {one for line in lines if line.endswith("\n") for one in json.loads(line)}


async def test_processes_that_submit_and_claim_at_once(tmp_path: Path) -> None:
    """The very first opening included: all of them create the database."""
    processes = [start(tmp_path, 10, "claim") for _ in range(3)]
    told: list[set[str]] = []
    for process in processes:
        output, _ = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0
        told.append(acknowledged(output))
    async with await Store.open(tmp_path, clock=SystemClock()) as store:
        everything = await store.list(limit=1000)
        assert {one.id for one in everything} == set().union(*told)
        assert len(everything) == sum(map(len, told)) == 180
        counts = await store.count_by_state()
        assert (counts[State.QUEUED], counts[State.STARTING]) == (90, 90)
        events = await store.events(0)
        claimed = [event.evaluation_id for event in events if event.kind == "evaluation.starting"]
        assert len(claimed) == len(set(claimed)) == 90
        assert [event.seq for event in events] == list(range(1, 271))


async def test_another_process_wakes_those_who_wait(tmp_path: Path) -> None:
    async with (
        await Store.open(tmp_path, clock=SystemClock()) as here,
        await Store.open(tmp_path, clock=SystemClock()) as there,
    ):
        assert here.box_id == there.box_id
        seq = 0
        for _ in range(3):
            waiter = asyncio.create_task(here.wait_for_change(seq, 30))
            await asyncio.sleep(0.02)
            await there.record("test.mark", 0.0, {})
            seq = await asyncio.wait_for(waiter, 0.5)
        assert seq == 3


async def test_nothing_acknowledged_is_lost_to_a_kill(tmp_path: Path) -> None:
    dice, told, kills = random.Random(7), set[str](), 25
    running = [start(tmp_path, 100_000, "claim") for _ in range(2)]
    for number in range(kills):
        process = running.pop(0)
        # Killed at any point after its first acknowledgement.
        assert process.stdout is not None
        first = process.stdout.readline()
        if number + len(running) + 1 < kills:
            running.append(start(tmp_path, 100_000, "claim"))
        time.sleep(dice.uniform(0.0, 0.05))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        told |= acknowledged(first + rest)
    assert len(told) > kills
    async with await Store.open(tmp_path, clock=SystemClock()) as store:
        everything = {one.id: one for one in await store.list(limit=1_000_000)}
        assert told <= everything.keys()
        # Whole transactions only: every claim has its attempt, every evaluation its event.
        active = await store.active()
        assert len(active) == (await store.count_by_state())[State.STARTING]
        queued = [
            event.evaluation_id
            for event in await store.events(0, limit=1_000_000)
            if event.kind == "evaluation.queued"
        ]
        assert sorted(everything) == sorted(one for one in queued if one)
        claimed = 0
        while page := await store.claim(500, time.time(), free_cpus=1e9, free_memory=1 << 60):
            claimed += len(page)
        assert claimed + len(active) == len(everything)
    connection = open_reader(tmp_path / "evalbox.db")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.parametrize("part", ["attempts/gone", "blobs/00/" + "0" * 64])
async def test_what_a_crash_left_to_delete_is_deleted(tmp_path: Path, part: str) -> None:
    async with await Store.open(tmp_path, clock=SystemClock()) as store:
        await store._write(lambda conn: conn.execute("INSERT INTO trash VALUES (?)", (part,)))
        path = tmp_path / part
        path.parent.mkdir(exist_ok=True)
        if part.startswith("blobs"):
            path.write_bytes(b"x")
            import os

            os.utime(path, (1, 1))
        else:
            (path / "1").mkdir(parents=True)
            (path / "1" / "output").write_bytes(b"x")
    async with await Store.open(tmp_path, clock=SystemClock()):
        assert not path.exists()
