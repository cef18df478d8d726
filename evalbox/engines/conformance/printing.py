"""What commands print."""

from __future__ import annotations

import hashlib

from evalbox.domain.limits import MIB
from evalbox.engines.base import Stream
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, expect, read


@case()
async def streams_apart(lab: Lab) -> None:
    """Standard output and error come apart, each in order."""
    commands = lab.commands
    ran = await lab.run(
        *commands.command(
            commands.echo("a"), commands.error("b"), commands.echo("c"), commands.error("d")
        )
    )
    expect(ran.stdout, b"a\nc\n", "standard output")
    expect(ran.stderr, b"b\nd\n", "standard error")


@case()
async def silence(lab: Lab) -> None:
    """A command that prints nothing has no output."""
    ran = await lab.run(*lab.commands.command(lab.commands.exit(0)))
    expect((ran.stdout, ran.stderr), (b"", b""), "output")


@case()
async def no_newline_at_the_end(lab: Lab) -> None:
    """Output is not completed with a newline."""
    ran = await lab.run(*lab.commands.command(lab.commands.print(3)))
    expect(ran.stdout, b"xxx", "standard output")


@case()
async def output_longer_than_a_pipe(lab: Lab) -> None:
    """Output of 300,000 bytes is whole."""
    ran = await lab.run(*lab.commands.command(lab.commands.print(300_000)))
    expect(len(ran.stdout), 300_000, "bytes")
    expect(ran.stdout.strip(b"x"), b"", "other bytes than those printed")


@case("runs_programs")
async def binary_output(lab: Lab) -> None:
    """Output is bytes: NUL, escapes and invalid UTF-8 come as they are, on both streams."""
    ran = await lab.python(
        "import sys; data = bytes(range(256)) * 3\n"
        "sys.stdout.buffer.write(data); sys.stderr.buffer.write(data[::-1])"
    )
    expect(ran.stdout, bytes(range(256)) * 3, "standard output")
    expect(ran.stderr, (bytes(range(256)) * 3)[::-1], "standard error")


@case("runs_programs")
async def five_megabytes(lab: Lab) -> None:
    """5 MB of output are whole and in order."""
    ran = await lab.python(
        "import sys\nfor n in range(5000): sys.stdout.write(f'{n:09d} ' * 100 + '\\n')"
    )
    wanted = "".join(f"{n:09d} " * 100 + "\n" for n in range(5000)).encode()
    expect(len(ran.stdout), len(wanted), "bytes")
    expect(_sha(ran.stdout), _sha(wanted), "SHA-256")


@case("runs_programs")
async def output_as_it_comes(lab: Lab) -> None:
    """Output is there while the command still runs."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, "/bin/sh", "-c", "echo now; sleep 30")
        async for chunk in sandbox.output():
            expect(chunk.data, b"now\n", "first output")
            break
        await sandbox.kill()


@case()
async def output_that_was_seen(lab: Lab) -> None:
    """``skip`` leaves out so many bytes of each stream."""
    commands = lab.commands
    async with lab.sandbox() as sandbox:
        await lab.launch(
            sandbox, *commands.command(commands.echo("abcdef"), commands.error("ghijkl"))
        )
        seen = await read(sandbox, {Stream.STDOUT: 2, Stream.STDERR: 5})
        expect(seen, {Stream.STDOUT: b"cdef\n", Stream.STDERR: b"l\n"}, "output")


@case("runs_programs")
async def a_reader_that_lags(lab: Lab) -> None:
    """Output that is read late is whole, and a job is not the slower side's victim."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, "/bin/sh", "-c", f"head -c {MIB} /dev/zero; exit 5")
        length = 0
        async for chunk in sandbox.output():
            length += len(chunk.data)
        expect(length, MIB, "bytes")
        expect((await sandbox.wait()).code, 5, "exit status")


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
