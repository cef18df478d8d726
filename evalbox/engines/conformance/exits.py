"""How commands end."""

from __future__ import annotations

import asyncio

from evalbox.engines.base import Exit
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, expect, expect_that


@case()
async def exit_statuses(lab: Lab) -> None:
    """The exit status is the command's: 0, 3, 255."""
    for code in (0, 3, 255):
        ran = await lab.run(*lab.commands.command(lab.commands.exit(code)))
        expect(ran.exit.code, code, "exit status")
        expect(ran.exit.oom_killed, False, "oom_killed")
        expect(ran.exit.signal, None, "signal")


@case("runs_programs")
async def death_by_signal(lab: Lab) -> None:
    """A command that sends itself TERM ends with 143, which is no lack of memory."""
    ran = await lab.shell("kill -TERM $$")
    expect(ran.exit.code, 143, "exit status")
    expect_that(ran.exit.signal in {None, 15}, f"signal is {ran.exit.signal}")
    expect(ran.exit.oom_killed, False, "oom_killed")


@case("runs_programs")
async def statuses_that_look_like_signals(lab: Lab) -> None:
    """A command that exits with 137 by itself was neither killed nor short of memory."""
    ran = await lab.shell("exit 137")
    expect(ran.exit, Exit(137), "exit")


@case()
async def commands_that_do_not_exist(lab: Lab) -> None:
    """A command that is not found ends with 127 or 126; that is no error of the engine."""
    ran = await lab.run("no-such-command-anywhere")
    expect_that(ran.exit.code in {126, 127}, f"exit status {ran.exit.code}")


@case("runs_programs")
async def commands_that_are_no_programs(lab: Lab) -> None:
    """A file that cannot be executed ends with 126 or 127."""
    ran = await lab.run("/etc/passwd")
    expect_that(ran.exit.code in {126, 127}, f"exit status {ran.exit.code}")


@case()
async def waiting_many_times(lab: Lab) -> None:
    """Any number of waiters get the same answer, also after the end."""
    commands = lab.commands
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *commands.command(commands.sleep(0.2), commands.exit(4)))
        answers = await asyncio.gather(*(sandbox.wait() for _ in range(3)))
        answers.append(await sandbox.wait())
        expect([answer.code for answer in answers], [4] * 4, "exit statuses")


@case()
async def a_waiter_that_gives_up(lab: Lab) -> None:
    """A wait that is cancelled changes nothing for the next."""
    commands = lab.commands
    async with lab.sandbox() as sandbox:
        waiting = asyncio.create_task(sandbox.wait())
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await lab.launch(sandbox, *commands.command(commands.exit(6)))
        expect((await sandbox.wait()).code, 6, "exit status")
