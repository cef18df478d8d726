"""Ends of programs that are run beside the main process, and what they leave behind."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import Sandbox
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import (
    KILL_TIME,
    Lab,
    conclude,
    execute,
    expect,
    expect_that,
)
from evalbox.engines.execution import Exec, Execution
from evalbox.errors import EngineError


@case()
async def exec_killed(lab: Lab) -> None:
    """A kill ends a program at once; what it printed before is there; the sandbox lives on."""
    commands = lab.commands
    command = commands.command(commands.echo("before"), commands.sleep(60))
    async with lab.kept() as sandbox:
        execution = await sandbox.exec(Exec(command))
        try:
            output = execution.output()
            expect((await anext(output)).data, b"before\n", "standard output")
            await _killed(execution)
            expect([chunk async for chunk in output], [], "more output")
        finally:
            await execution.close()
        done = await execute(sandbox, *commands.command(commands.echo("alive")))
        expect(done.stdout, b"alive\n", "output of another program")


@case("runs_programs")
async def exec_killed_with_all(lab: Lab) -> None:
    """A kill ends children, daemons in sessions of their own, and what ignores signals."""
    script = (
        "trap '' TERM INT HUP\n"
        "sleep 611 & (setsid sleep 611 &); (env -i sleep 611 &)\n"
        "(setsid sh -c 'sleep 611; sleep 611' >/dev/null 2>&1 &)\n"
        "echo ready; wait; while :; do sleep 611; done"
    )
    async with lab.kept() as sandbox:
        bystander = await sandbox.exec(Exec(("sleep", "612")))
        execution = await sandbox.exec(Exec(("/bin/sh", "-c", script)))
        try:
            expect((await anext(execution.output())).data, b"ready\n", "standard output")
            await _killed(execution)
            expect(await _running(sandbox, "611"), 0, "processes that are left")
            expect(await _running(sandbox, "612"), 1, "processes of a bystander")
        finally:
            await execution.close()
            await bystander.close()
        expect(await _running(sandbox, "612"), 0, "processes after closing")


@case("runs_programs")
async def exec_that_multiplies(lab: Lab) -> None:
    """What forks without end is killed with all of its processes, or said not to be."""
    code = (
        "import os, time\n"
        "print('ready', flush=True)\n"
        "end = time.monotonic() + 30\n"
        "while time.monotonic() < end:\n"
        "  try: os.fork()\n"
        "  except OSError: pass\n"
        "  time.sleep(0.05)"
    )
    async with lab.kept(Limits(memory=512 * MIB, pids=48)) as sandbox:
        command = ("python3", "-c", code) if lab.traits.limits_processes else ("sleep", "60")
        execution = await sandbox.exec(Exec(command))
        try:
            await asyncio.sleep(0.7)
            async with asyncio.timeout(3 * KILL_TIME):
                await execution.kill()
            if (await lab.listed())[sandbox.id].running:
                expect(await _running(sandbox, "end = time"), 0, "processes that are left")
        except EngineError:
            # It holds all processes that there may be, those for its killing too.
            await sandbox.kill()
            async with asyncio.timeout(KILL_TIME):
                await sandbox.wait()
        finally:
            with suppress(EngineError):
                await execution.close()


@case("runs_programs")
async def exec_that_leaves_a_daemon(lab: Lab) -> None:
    """A program's end is its end, also where a daemon holds its output open; the daemon lives."""
    async with lab.kept() as sandbox:
        for _ in range(2):
            began = time.monotonic()
            done = await execute(sandbox, "/bin/sh", "-c", "echo x; setsid sleep 613 & exit 3")
            expect((done.stdout, done.status), (b"x\n", 3), "output and status")
            expect_that(time.monotonic() - began < 1.5, "the end was told late")
        began = time.monotonic()
        await execute(sandbox, "true")
        expect_that(time.monotonic() - began < 1.5, "the next end was told late")
        expect(await _running(sandbox, "613"), 2, "daemons")


@case("isolates")
async def exec_that_kills_its_parent(lab: Lab) -> None:
    """A program that kills what started it has ended, in time."""
    async with lab.kept() as sandbox:
        async with asyncio.timeout(3 * KILL_TIME):
            done = await execute(sandbox, "/bin/sh", "-c", "echo x; kill -9 $PPID; kill -9 $$")
        expect(done.stdout, b"x\n", "standard output")
        expect(done.status, 137, "exit status")


@case()
async def exec_when_the_sandbox_ends(lab: Lab) -> None:
    """A program ends with its sandbox, and none starts in one that has ended."""
    commands = lab.commands
    async with lab.kept() as sandbox:
        execution = await sandbox.exec(Exec(commands.command(commands.sleep(60))))
        try:
            concluding = asyncio.create_task(conclude(execution))
            await sandbox.kill()
            async with asyncio.timeout(3 * KILL_TIME):
                await sandbox.wait()
                (how,) = await asyncio.gather(concluding, return_exceptions=True)
            told = isinstance(how, EngineError) or getattr(how, "status", 0) == 137
            expect_that(told, f"the program ended with {how!r}")
        finally:
            await execution.close()
        try:
            await execute(sandbox, *commands.command(commands.exit(0)))
        except EngineError:
            return
    expect_that(False, "a program was run in what has ended")


async def _killed(execution: Execution) -> None:
    async with asyncio.timeout(KILL_TIME):
        await execution.kill()
        expect(await execution.wait(), 137, "exit status")
    await execution.kill()


async def _running(sandbox: Sandbox, text: str) -> int:
    """How many processes have ``text`` in their command, but for those that look."""
    code = (
        "import os, sys\n"
        "found = 0\n"
        "root = os.environ.get('EVALBOX_ROOT', '').encode()\n"
        "for pid in filter(str.isdigit, os.listdir('/proc')):\n"
        "  try:\n"
        "    line = open(f'/proc/{pid}/cmdline', 'rb').read()\n"
        "    around = open(f'/proc/{pid}/environ', 'rb').read()\n"
        "  except OSError: continue\n"
        "  words = line.split(b'\\0')\n"
        "  if words[0] == sys.argv[2].encode() and sys.argv[1].encode() in line \\\n"
        "      and b'os.listdir' not in line and (not root or root in around):\n"
        "    found += 1\n"
        "print(found)"
    )
    name = "sleep" if text.isdigit() else "python3"
    done = await execute(sandbox, "python3", "-c", code, text, name)
    expect(done.stderr, b"", "standard error")
    return int(done.stdout)
