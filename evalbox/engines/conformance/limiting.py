"""What commands may use, and what they are said to have used."""

from __future__ import annotations

import time

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, expect, expect_that, finish, read_until, until

_HOARD = "held = []\nwhile True: held.append(bytearray(b'x') * (8 << 20))"


@case("limits_memory")
async def too_much_memory(lab: Lab) -> None:
    """A command that goes beyond its memory is killed, and that is told as ``oom_killed``."""
    limits = Limits(memory=96 * MIB)
    async with lab.sandbox(limits) as sandbox:
        launch = await lab.launch(sandbox, "python3", "-c", _HOARD)
        ran = await finish(sandbox, launch)
        expect_that(ran.exit.code != 0, "exit status 0")
        expect(ran.exit.oom_killed, True, "oom_killed")


@case("limits_memory")
async def too_much_memory_in_a_child(lab: Lab) -> None:
    """A child that goes beyond the memory is told too, even where its parent is content."""
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_HOARD!r}])"
    ran = await lab.python(child, Limits(memory=96 * MIB))
    expect(ran.exit.oom_killed, True, "oom_killed")


@case("runs_programs")
async def enough_memory(lab: Lab) -> None:
    """A command within its memory is left alone."""
    ran = await lab.python("x = b'x' * (32 << 20); print(len(x))", Limits(memory=192 * MIB))
    expect((ran.exit.code, ran.exit.oom_killed), (0, False), "exit status and oom_killed")


@case("runs_programs")
async def an_impossible_request(lab: Lab) -> None:
    """A request for 1 TiB at once is refused within the command, or told as ``oom_killed``."""
    code = "try: bytearray(1 << 40)\nexcept MemoryError: print('refused')"
    ran = await lab.python(code)
    # gVisor promises any address space, and fails where it is used.
    if not ran.exit.oom_killed:
        expect((ran.stdout, ran.exit.code), (b"refused\n", 0), "output and exit status")


@case("limits_processes")
async def too_many_processes(lab: Lab) -> None:
    """Forking ends at the limit, with an error within the command."""
    code = (
        "import os, signal, time\n"
        "pids = []\n"
        "try:\n"
        "  while len(pids) < 500:\n"
        "    pid = os.fork()\n"
        "    if not pid: time.sleep(60)\n"
        "    pids.append(pid)\n"
        "except OSError as error: print(len(pids), error.errno)\n"
        "for pid in pids: os.kill(pid, signal.SIGKILL)\n"
    )
    ran = await lab.python(code, Limits(memory=1024 * MIB, pids=40))
    expect_that(bool(ran.stdout), f"no end of forking: {ran}")
    count, errno = map(int, ran.stdout.split())
    expect(errno, 11, "errno of the last fork (EAGAIN)")
    expect_that(count <= 40, f"{count} processes with a limit of 40")
    expect(ran.exit.code, 0, "exit status")


@case("limits_files")
async def too_large_a_file(lab: Lab) -> None:
    """A file cannot grow beyond ``disk``."""
    script = f"head -c {8 * MIB} /dev/zero >file 2>/dev/null; echo $?; wc -c <file"
    ran = await lab.shell(script, Limits(disk=2 * MIB, memory=256 * MIB))
    status, size = map(int, ran.stdout.split())
    expect_that(status != 0, "writing succeeded")
    expect_that(size <= 2 * MIB, f"the file has {size} bytes")


@case("limits_cpu")
async def too_much_computing(lab: Lab) -> None:
    """A command gets no more of a core than its limit."""
    code = (
        "import time\nbegan, cpu = time.monotonic(), time.process_time()\n"
        "while time.monotonic() - began < 2: pass\n"
        "print(time.process_time() - cpu)"
    )
    limits = Limits(cpus=0.3, memory=256 * MIB)
    async with lab.sandbox(limits) as sandbox:
        began = time.monotonic()
        launch = await lab.launch(sandbox, "python3", "-c", code)
        ran = await finish(sandbox, launch)
        wall = time.monotonic() - began
    # What the sandbox's own kernel uses counts as well: the command gets less, never more.
    share = float(ran.stdout) / wall
    expect_that(share < 0.45, f"{share:.2f} of a core with a limit of 0.3")


@case()
async def usage_is_told(lab: Lab) -> None:
    """The processor time and the most memory that a command used are told."""
    commands = lab.commands
    command = commands.command(
        commands.burn(0.3, 50 * MIB), commands.echo("burnt"), commands.sleep(60)
    )
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *command)
        await read_until(sandbox, b"burnt\n")
        usage = await sandbox.usage()
        expect_that(usage is not None, "no usage")
        assert usage is not None  # noqa: S101 - for the type checker
        expect_that(0.25 <= usage.cpu_seconds < 10, f"{usage.cpu_seconds} core-seconds of 0.3")
        peak = usage.memory_peak
        expect_that(45 * MIB <= peak < 256 * MIB, f"peak of {peak} bytes, of {50 * MIB} used")
        expect_that(usage.pids >= 1, f"{usage.pids} processes")


@case("runs_programs")
async def usage_of_disk_is_told(lab: Lab) -> None:
    """What a command has written counts as disk."""
    async with lab.sandbox() as sandbox:
        script = f"head -c {20 * MIB} /dev/zero >file; echo written; sleep 60"
        await lab.launch(sandbox, "/bin/sh", "-c", script)
        await read_until(sandbox, b"written\n")

        async def told() -> bool:
            usage = await sandbox.usage()
            return usage is not None and usage.disk >= 20 * MIB

        await until(told, "20 MiB of disk")


@case()
async def usage_after_the_end(lab: Lab) -> None:
    """Asking for the usage of what is gone is no error."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *lab.commands.command(lab.commands.exit(0)))
        await sandbox.wait()
        await sandbox.usage()
        await sandbox.destroy()
        await sandbox.usage()
