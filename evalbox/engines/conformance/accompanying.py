"""Programs that are run beside a job: nothing of the job is theirs to change, but what is in it."""

from __future__ import annotations

import asyncio

from evalbox.domain.sandbox import SHELL
from evalbox.engines.base import Sandbox
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import (
    KILL_TIME,
    Lab,
    conclude,
    execute,
    expect,
    expect_that,
    finish,
    until,
)
from evalbox.engines.execution import Exec, Execution
from evalbox.errors import EngineError


@case()
async def exec_beside_a_job(lab: Lab) -> None:
    """What is run beside a job, and killed, changes neither its output nor how it ends."""
    commands = lab.commands
    job = commands.command(
        commands.echo("one"),
        commands.sleep(5),
        commands.write("kept", "content"),
        commands.echo("two"),
        commands.exit(3),
    )
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(sandbox, *job, artifacts=("kept",))
        finishing = asyncio.create_task(finish(sandbox, launch))
        try:
            beside = commands.command(commands.echo("mine"), commands.error("and mine"))
            done = await execute(sandbox, *beside)
            expect((done.stdout, done.stderr), (b"mine\n", b"and mine\n"), "output beside it")
            killed = await sandbox.exec(Exec(commands.command(commands.sleep(60))))
            await killed.close()
            expect(await killed.wait(), 137, "status of what was killed")
            ran = await finishing
        finally:
            finishing.cancel()
            await asyncio.gather(finishing, return_exceptions=True)
    expect((ran.stdout, ran.stderr), (b"one\ntwo\n", b""), "output of the job")
    expect(ran.exit.code, 3, "exit status of the job")
    expect(ran.kept.get("kept"), b"content", "artifact of the job")


@case()
async def exec_ends_with_its_job(lab: Lab) -> None:
    """A program does not keep a job from ending, and ends with it."""
    commands = lab.commands
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(sandbox, *commands.command(commands.sleep(1), commands.exit(4)))
        execution = await sandbox.exec(Exec(commands.command(commands.sleep(60))))
        try:
            concluding = asyncio.create_task(conclude(execution))
            async with asyncio.timeout(3 * KILL_TIME):
                ran = await finish(sandbox, launch)
                (how,) = await asyncio.gather(concluding, return_exceptions=True)
        finally:
            await execution.close()
    expect(ran.exit.code, 4, "exit status of the job")
    told = isinstance(how, EngineError) or getattr(how, "status", 0) == 137
    expect_that(told, f"the program ended with {how!r}")


@case()
async def shell_beside_a_job(lab: Lab) -> None:
    """The shell that people are given has a terminal of the right size, which changes with it."""
    commands = lab.commands
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *commands.command(commands.sleep(60)))
        shell = await _shell(sandbox)
        seen = bytearray()
        reading = asyncio.create_task(_read(shell, seen))
        try:
            await shell.write(b"stty size\r")
            await _shows(seen, b"33 99")
            await shell.resize(40, 120)
            await shell.write(b"stty size\r")
            await _shows(seen, b"40 120")
            await shell.write(b"exit 5\r")
            async with asyncio.timeout(KILL_TIME):
                await reading
            expect(await shell.wait(), 5, "exit status")
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await shell.close()
        expect_that((await lab.listed())[sandbox.id].running, "the job has ended")


async def _shell(sandbox: Sandbox) -> Execution:
    return await sandbox.exec(Exec(SHELL, stdin=True, tty=True, rows=33, cols=99))


async def _read(execution: Execution, seen: bytearray) -> None:
    async for chunk in execution.output():
        seen += chunk.data


async def _shows(seen: bytearray, text: bytes) -> None:
    async def there() -> bool:
        return text in seen

    await until(there, f"{text!r} on the terminal", 2 * KILL_TIME)
