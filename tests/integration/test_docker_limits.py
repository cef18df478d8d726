"""What a job may use, and what is told of it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from docker_support import bench, both

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import Launch


@both
async def test_memory_limit_is_told_as_such(kind: str) -> None:
    script = "b = []\nwhile True: b.append(bytearray(8 << 20))"
    async with bench(kind) as b:
        ran = await b.run(Launch(("python3", "-c", script)), limits=Limits(memory=96 * MIB))
    assert ran.exit.oom_killed
    assert ran.exit.code != 0
    assert ran.usage is not None
    assert ran.usage.memory_peak > 80 * MIB


@both
async def test_memory_limit_in_a_child_is_not_a_success(kind: str) -> None:
    script = (
        "python3 -c 'b = []\nwhile True: b.append(bytearray(8 << 20))'; echo parent lives; exit 0"
    )
    async with bench(kind) as b:
        ran = await b.shell(script, limits=Limits(memory=96 * MIB))
    assert ran.exit.oom_killed


@both
async def test_a_short_job_is_measured_too(kind: str) -> None:
    code = "x = bytearray(60 << 20); sum(range(3_000_000))"
    async with bench(kind) as b:
        ran = await b.run(Launch(("python3", "-c", code)))
    assert ran.usage is not None
    assert ran.usage.cpu_seconds > 0.05
    assert ran.usage.memory_peak > 60 * MIB


@both
async def test_disk_is_measured(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(
            Launch(("/bin/sh", "-c", "head -c 67108864 /dev/urandom >big; echo; exec sleep 60"))
        )
        await anext(sandbox.output())
        async with asyncio.timeout(15):
            while (usage := await sandbox.usage()) is None or usage.disk < 60 * MIB:
                await asyncio.sleep(0.1)
        assert usage.disk < 90 * MIB
        assert usage.pids >= 1
        await sandbox.destroy()


@both
async def test_processes_are_bounded_and_it_lives(kind: str) -> None:
    code = (
        "import os, time\n"
        "n = 0\n"
        "try:\n"
        "  while n < 500:\n"
        "    if os.fork() == 0: time.sleep(60); os._exit(0)\n"
        "    n += 1\n"
        "except OSError as e: print(n, e.errno)\n"
    )
    async with bench(kind) as b:
        ran = await b.run(Launch(("python3", "-c", code)), limits=Limits(pids=40))
    assert ran.exit.code == 0, ran
    forked, number = map(int, ran.out.split())
    assert number == errno.EAGAIN
    assert 30 <= forked <= 40


@both
async def test_one_file_is_bounded(kind: str) -> None:
    async with bench(kind) as b:
        ran = await b.shell(
            "head -c 9000000 /dev/zero >big; echo $?; stat -c %s big", limits=Limits(disk=4 * MIB)
        )
    assert ran.out.split() == [b"153", b"4194304"]


@both
async def test_temporary_files_are_bounded_by_half_the_memory(kind: str) -> None:
    script = "head -c 200000000 /dev/zero >/tmp/big; stat -c %s /tmp/big; stat -c %a /tmp"
    async with bench(kind) as b:
        ran = await b.shell(script, limits=Limits(memory=128 * MIB))
    assert ran.out.split() == [b"67108864", b"1777"]
    assert b"No space left" in ran.err
    assert not ran.exit.oom_killed


@both
async def test_the_smallest_limits_suffice_for_a_shell(kind: str) -> None:
    limits = Limits(cpus=0.25, memory=32 * MIB, disk=MIB, pids=8, output=1024)
    async with bench(kind) as b:
        ran = await b.run(Launch(("echo", "hello")), limits=limits)
    assert (ran.out, ran.exit.code) == (b"hello\n", 0)


@both
@pytest.mark.parametrize("closing", ["exec >&- 2>&-; sleep 1; exit 4", "sleep 1 & exit 4"])
async def test_output_ends_with_the_main_process(kind: str, closing: str) -> None:
    async with bench(kind) as b:
        ran = await b.shell(closing)
    assert ran.exit.code == 4


@both
async def test_all_sandboxes_share_a_group_of_little_weight(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create(limits=Limits(memory=96 * MIB))
        try:
            found = await b.engine.check()
            groups = "".join(_groups(sandbox.id))
        finally:
            await sandbox.destroy()
    (weight,) = [check for check in found if check.name == "weight"]
    parents = ("/evalbox/", "/evalbox.slice/")
    assert any(parent in groups for parent in parents) or "as the engine" in weight.detail
    assert weight.level == "ok" or (weight.level == "warning" and weight.remedy)


def _groups(sandbox: str) -> Iterator[str]:
    """The control groups of a sandbox's processes on the host."""
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{process.pid}/cgroup").read_text()
            if sandbox in text:
                yield text
