"""Programs that are run beside the main process."""

from __future__ import annotations

import asyncio
import json
import os

from evalbox.domain.limits import MIB
from evalbox.engines.base import Sandbox
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.inputs import ODD_WORDS
from evalbox.engines.conformance.lab import (
    KILL_TIME,
    Lab,
    execute,
    expect,
    expect_that,
)
from evalbox.engines.execution import Exec
from evalbox.errors import InvalidInput

#: How many programs are run at once.
MANY = 40


@case()
async def exec_status(lab: Lab) -> None:
    """A program's exit status is told; the sandbox lives on."""
    commands = lab.commands
    async with lab.kept() as sandbox:
        for code in (0, 1, 77, 255):
            done = await execute(sandbox, *commands.command(commands.exit(code)))
            expect(done.status, code, "exit status")
        expect_that((await lab.listed())[sandbox.id].running, "the sandbox has ended")


@case()
async def exec_streams(lab: Lab) -> None:
    """Standard output and error of a program come apart."""
    commands = lab.commands
    steps = (commands.echo("a"), commands.error("b"), commands.print(100_000))
    async with lab.kept() as sandbox:
        done = await execute(sandbox, *commands.command(*steps))
    expect(done.stdout, b"a\n" + b"x" * 100_000, "standard output")
    expect(done.stderr, b"b\n", "standard error")


@case("runs_programs")
async def exec_binary(lab: Lab) -> None:
    """What goes in comes out: 1 MiB of any bytes, and the end of input is told."""
    content = os.urandom(MIB)
    async with lab.kept() as sandbox:
        done = await execute(sandbox, "cat", stdin=content)
    expect(done.stdout == content, True, "the same bytes")


@case()
async def exec_stdin_as_it_comes(lab: Lab) -> None:
    """A program reads its input while more is still to come."""
    commands = lab.commands
    async with lab.kept() as sandbox:
        execution = await sandbox.exec(Exec(commands.command(commands.cat()), stdin=True))
        try:
            output = execution.output()
            for word in (b"first\n", b"second\n"):
                await execution.write(word)
                async with asyncio.timeout(KILL_TIME):
                    expect((await anext(output)).data, word, "what was read")
            await execution.close_stdin()
            expect([chunk.data async for chunk in output], [], "more output")
            expect(await execution.wait(), 0, "exit status")
        finally:
            await execution.close()


@case()
async def exec_without_stdin(lab: Lab) -> None:
    """Without a standard input there is an empty one."""
    commands = lab.commands
    async with lab.kept() as sandbox:
        done = await execute(sandbox, *commands.command(commands.cat(), commands.echo("end")))
    expect(done.stdout, b"end\n", "what was read")


@case("runs_programs")
async def exec_input_unread(lab: Lab) -> None:
    """Input that nobody reads harms nothing; what was printed is whole."""
    async with lab.kept() as sandbox:
        done = await execute(sandbox, "/bin/sh", "-c", "echo out; exit 3", stdin=bytes(4 * MIB))
    expect((done.stdout, done.status), (b"out\n", 3), "output and status")


@case("runs_programs")
async def exec_arguments(lab: Lab) -> None:
    """Arguments and variables come as they are."""
    given = {f"V{number}": word for number, word in enumerate(ODD_WORDS)} | {"dotted.name": "x"}
    code = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    async with lab.kept() as sandbox:
        done = await execute(sandbox, "python3", "-c", code, *ODD_WORDS, env=given)
    words, variables = json.loads(done.stdout)
    expect(words, list(ODD_WORDS), "arguments")
    expect({name: variables.get(name) for name in given}, given, "variables")


@case()
async def exec_variable(lab: Lab) -> None:
    """A variable is in the program's environment."""
    commands = lab.commands
    command = commands.command(commands.variable("NAME"))
    async with lab.kept() as sandbox:
        done = await execute(sandbox, *command, env={"NAME": "a value"})
    expect(done.stdout, b"a value\n", "variable")


@case("runs_programs")
async def exec_workdir(lab: Lab) -> None:
    """A program starts where it is told, by default in the sandbox's working directory."""
    async with lab.kept() as sandbox:
        done = await execute(sandbox, "/bin/sh", "-c", "mkdir -p below; pwd; echo $HOME")
        here, home = done.stdout.decode().split()
        expect_that(here.endswith("/home/agent"), f"started in {here}")
        expect(home, here, "HOME")
        done = await execute(sandbox, "pwd", workdir="/home/agent/below")
        expect_that(done.stdout.endswith(b"/home/agent/below\n"), f"started in {done.stdout!r}")


@case("runs_programs")
async def exec_what_is_not_there(lab: Lab) -> None:
    """No such program is 127, no such directory 126, each with a word on standard error."""
    async with lab.kept() as sandbox:
        done = await execute(sandbox, "no-such-program")
        expect((done.status, bool(done.stderr)), (127, True), "status and complaint")
        done = await execute(sandbox, "true", workdir="/no/such/directory")
        expect((done.status, bool(done.stderr)), (126, True), "status and complaint")


@case()
async def exec_refuses(lab: Lab) -> None:
    """An empty command, a NUL byte, a relative directory are refused."""
    wrong = (Exec(()), Exec(("a\0b",)), Exec(("true",), workdir="x"), Exec(("true",), env={"": ""}))
    async with lab.kept() as sandbox:
        for program in wrong:
            try:
                await sandbox.exec(program)
            except InvalidInput:
                continue
            expect_that(False, f"{program} was not refused")


@case("isolates")
async def exec_user(lab: Lab) -> None:
    """A user is given by numbers, or by a name that the sandbox knows now; else refused."""
    async with lab.kept() as sandbox:
        for user, wanted in {None: b"1000 1000", "agent": b"1000 1000", "0:0": b"0 0",
                             "root": b"0 0", "4321:1234": b"4321 1234"}.items():  # fmt: skip
            done = await execute(sandbox, "/bin/sh", "-c", "echo $(id -u) $(id -g)", user=user)
            expect(done.stdout.strip(), wanted, f"user {user}")
        added = "echo fresh:x:777:888::/tmp:/bin/sh >>/etc/passwd"
        await execute(sandbox, "/bin/sh", "-c", added, user="0:0")
        done = await execute(sandbox, "/bin/sh", "-c", "echo $(id -u) $(id -g)", user="fresh")
        expect(done.stdout, b"777 888\n", "a user that was added in the sandbox")
        try:
            await execute(sandbox, "true", user="nobody-of-this-name")
        except InvalidInput:
            return
    expect_that(False, "an unknown user was not refused")


@case("runs_programs")
async def exec_terminal(lab: Lab) -> None:
    """A terminal has the size that it is given, and changes it."""
    code = (
        "import os, sys\n"
        "print(sys.stdin.isatty(), *os.get_terminal_size(), flush=True)\n"
        "input()\n"
        "print(*os.get_terminal_size(), flush=True)"
    )
    async with lab.kept() as sandbox:
        program = Exec(("python3", "-c", code), stdin=True, tty=True, rows=33, cols=99)
        execution = await sandbox.exec(program)
        try:
            output = execution.output()
            async with asyncio.timeout(2 * KILL_TIME):
                seen = b""
                while b"\n" not in seen:
                    seen += (await anext(output)).data
                expect(seen, b"True 99 33\r\n", "terminal")
                await execution.resize(40, 120)
                await execution.write(b"\n")
                async for chunk in output:
                    seen += chunk.data
                expect_that(seen.endswith(b"120 40\r\n"), f"resized: {seen!r}")
                expect(await execution.wait(), 0, "exit status")
        finally:
            await execution.close()


@case("runs_programs")
async def exec_interrupted_by_key(lab: Lab) -> None:
    """The key for an interrupt reaches the program on a terminal, and the key for the end."""
    async with lab.kept() as sandbox:
        script = "trap 'echo caught' INT; echo ready; read -r line; cat; exit 7"
        program = Exec(("/bin/sh", "-c", script), stdin=True, tty=True)
        execution = await sandbox.exec(program)
        try:
            output = execution.output()
            seen = b""
            async with asyncio.timeout(2 * KILL_TIME):
                while b"ready" not in seen:
                    seen += (await anext(output)).data
                await execution.write(b"\x03")
                while b"caught" not in seen:
                    seen += (await anext(output)).data
                await execution.write(b"line\n")
                await execution.close_stdin()
                async for chunk in output:
                    seen += chunk.data
                expect(await execution.wait(), 7, "exit status")
        finally:
            await execution.close()


@case()
async def exec_many(lab: Lab) -> None:
    """Many programs at once each have their own output and status."""
    commands = lab.commands

    async def one(sandbox: Sandbox, number: int) -> tuple[bytes, int]:
        command = commands.command(commands.echo(str(number)), commands.exit(number))
        done = await execute(sandbox, *command)
        return done.stdout, done.status

    async with lab.kept() as sandbox:
        found = await asyncio.gather(*(one(sandbox, number) for number in range(MANY)))
    expect(found, [(b"%d\n" % number, number) for number in range(MANY)], "outputs and statuses")


@case("adopts")
async def exec_in_what_was_adopted(lab: Lab) -> None:
    """A later process runs programs in what an earlier one left."""
    commands = lab.commands
    async with lab.kept() as sandbox, lab.later() as engine:
        adopted = await engine.adopt(sandbox.id)
        done = await execute(adopted, *commands.command(commands.echo("here")))
        expect(done.stdout, b"here\n", "standard output")
