"""Ends that a command does not choose."""

from __future__ import annotations

import asyncio
import time

from evalbox.engines.base import Sandbox, Stream
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import KILL_TIME, Lab, expect, expect_that, read, read_until


async def _killed(sandbox: Sandbox) -> None:
    """Kills, and sees to it that all is over in time."""
    began = time.monotonic()
    async with asyncio.timeout(KILL_TIME):
        await sandbox.kill()
        how = await sandbox.wait()
    expect_that(time.monotonic() - began < KILL_TIME, "killing took too long")
    expect(how.code, 137, "exit status")
    expect(how.oom_killed, False, "oom_killed")


@case()
async def killing_what_sleeps(lab: Lab) -> None:
    """A kill ends a command at once; what it printed before is there."""
    commands = lab.commands
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *commands.command(commands.echo("before"), commands.sleep(60)))
        reading = asyncio.create_task(read(sandbox))
        await asyncio.sleep(0.5)
        await _killed(sandbox)
        async with asyncio.timeout(KILL_TIME):
            expect((await reading)[Stream.STDOUT], b"before\n", "standard output")


@case()
async def killing_what_has_ended(lab: Lab) -> None:
    """A kill after the end, or a second one, changes nothing."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *lab.commands.command(lab.commands.exit(3)))
        await sandbox.wait()
        await sandbox.kill()
        await sandbox.kill()
        expect((await sandbox.wait()).code, 3, "exit status")


@case("runs_programs")
async def killing_what_waits(lab: Lab) -> None:
    """A sandbox without a command yet can be killed."""
    async with lab.sandbox() as sandbox:
        await _killed(sandbox)


@case("runs_programs")
async def killing_what_ignores_signals(lab: Lab) -> None:
    """A command that ignores TERM, INT and HUP is killed all the same."""
    async with lab.sandbox() as sandbox:
        script = "trap '' TERM INT HUP; echo ready; while :; do sleep 1; done"
        await lab.launch(sandbox, "/bin/sh", "-c", script)
        await read_until(sandbox, b"ready\n")
        await _killed(sandbox)


@case("runs_programs")
async def killing_all_descendants(lab: Lab) -> None:
    """A kill ends children, grandchildren and those in sessions of their own."""
    async with lab.sandbox() as sandbox:
        script = "sleep 300 & (sleep 300 &) ; setsid sleep 300 & echo ready; wait; sleep 300"
        await lab.launch(sandbox, "/bin/sh", "-c", script)
        await read_until(sandbox, b"ready\n")
        await _killed(sandbox)
        info = (await lab.listed()).get(sandbox.id)
        expect_that(info is None or not info.running, "listed as running after a kill")


@case("runs_programs")
async def killing_what_multiplies(lab: Lab) -> None:
    """A command that forks as fast as it can is killed as well."""
    async with lab.sandbox() as sandbox:
        code = (
            "import os, time\n"
            "print('ready', flush=True)\n"
            "for _ in range(20):\n"
            "  try: os.fork()\n"
            "  except OSError: time.sleep(0.1)\n"
            "  time.sleep(0.05)\n"
            "time.sleep(300)"
        )
        await lab.launch(sandbox, "python3", "-c", code)
        await read_until(sandbox, b"ready\n")
        await asyncio.sleep(0.15)
        began = time.monotonic()
        async with asyncio.timeout(2 * KILL_TIME):
            await sandbox.kill()
            await sandbox.wait()
        expect_that(time.monotonic() - began < KILL_TIME, "killing took too long")


@case("runs_programs")
async def daemons_do_not_delay_the_end(lab: Lab) -> None:
    """The main process's end is the end, also where a daemon holds its output open."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, "/bin/sh", "-c", "echo x; (setsid sleep 300 &) ; exit 3")
        async with asyncio.timeout(KILL_TIME):
            expect((await read(sandbox))[Stream.STDOUT], b"x\n", "standard output")
            expect((await sandbox.wait()).code, 3, "exit status")


@case("isolates")
async def a_command_that_kills_everything(lab: Lab) -> None:
    """``kill -9 -1`` and ``kill -9 1`` harm nobody else."""
    async with lab.sandbox() as bystander:
        async with lab.sandbox() as sandbox:
            await lab.launch(sandbox, "/bin/sh", "-c", "kill -9 1; kill -9 -1; sleep 300")
            await asyncio.sleep(0.5)
            await sandbox.kill()
            async with asyncio.timeout(KILL_TIME):
                await sandbox.wait()
        await lab.launch(bystander, "echo", "alive")
        expect((await read(bystander))[Stream.STDOUT], b"alive\n", "a bystander's output")
