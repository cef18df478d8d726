"""Programs that are run beside the main process."""

from __future__ import annotations

import asyncio
import json
import os
import time

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import Sandbox
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.inputs import ODD_WORDS
from evalbox.engines.conformance.lab import (
    KILL_TIME,
    Lab,
    conclude,
    execute,
    expect,
    expect_that,
)
from evalbox.engines.execution import Exec, Execution
from evalbox.errors import EngineError, InvalidInput

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
    """What forks without end is killed with all of its processes, or the sandbox with it."""
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
        finally:
            await execution.close()
        if (await lab.listed())[sandbox.id].running:
            expect(await _running(sandbox, "end = time"), 0, "processes that are left")


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


@case("adopts")
async def exec_in_what_was_adopted(lab: Lab) -> None:
    """A later process runs programs in what an earlier one left."""
    commands = lab.commands
    async with lab.kept() as sandbox, lab.later() as engine:
        adopted = await engine.adopt(sandbox.id)
        done = await execute(adopted, *commands.command(commands.echo("here")))
        expect(done.stdout, b"here\n", "standard output")


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
