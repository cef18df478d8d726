"""What is kept of a sandbox: artifacts."""

from __future__ import annotations

import asyncio
import hashlib

from evalbox.domain.limits import MIB
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import KILL_TIME, Lab, expect, expect_that, finish


@case()
async def artifacts_and_status(lab: Lab) -> None:
    """Artifacts come out, paths that do not exist are left out, and the status is kept."""
    commands = lab.commands
    ran = await lab.run(
        *commands.command(
            commands.write("out/one", "1"), commands.write("out/deep/two", "22"),
            commands.write("alone", "3"), commands.write("left", "no"),
            commands.echo("printed"), commands.exit(9),
        ),
        artifacts=("out", "alone", "missing"),
    )  # fmt: skip
    files = {name: content for name, content in ran.kept.items() if content is not None}
    wanted = {"out/one": b"1", "out/deep/two": b"22", "alone": b"3"}
    expect(files, wanted, "artifacts")
    expect((ran.exit.code, ran.stdout), (9, b"printed\n"), "exit status and output")


@case()
async def no_artifact_there(lab: Lab) -> None:
    """Where no path exists there is nothing, and no error."""
    command = lab.commands.command(lab.commands.exit(4))
    ran = await lab.run(*command, artifacts=("missing", "/no/such/place"))
    expect((dict(ran.kept), ran.exit.code), ({}, 4), "artifacts and exit status")


@case("isolates")
async def artifacts_from_elsewhere(lab: Lab) -> None:
    """An absolute path is kept under its name without the leading slash."""
    paths = ("/tmp/a", "/dev/shm/b")  # noqa: S108 - in the sandbox
    ran = await lab.shell("echo x >/tmp/a; echo y >/dev/shm/b", artifacts=paths)
    expect(dict(ran.kept), {"tmp/a": b"x\n", "dev/shm/b": b"y\n"}, "artifacts")


@case("runs_programs")
async def artifacts_exact(lab: Lab) -> None:
    """Binary content and odd names come out as they are; an empty directory does as well."""
    code = (
        "import os; os.makedirs('out/empty'); open('out/bin', 'wb').write(bytes(range(256)) * 5)\n"
        "open('out/sp ace', 'w').write('odd'); open('-n', 'w').write('dash')\n"
        f"open('large', 'wb').write(bytes(range(251)) * ({MIB} // 50))"
    )
    ran = await lab.python(code, artifacts=("out", "-n", "large"))
    kept = dict(ran.kept)
    expect(ran.stderr, b"", "standard error")
    large = kept.pop("large", None)
    wanted = hashlib.sha256(bytes(range(251)) * (MIB // 50)).digest()
    expect_that(
        isinstance(large, bytes) and hashlib.sha256(large).digest() == wanted, "large differs"
    )
    expect(
        kept,
        {
            "out": None, "out/empty": None, "out/bin": bytes(range(256)) * 5,
            "out/sp ace": b"odd", "-n": b"dash",
        },
        "artifacts",
    )  # fmt: skip


@case("runs_programs")
async def links_are_not_followed(lab: Lab) -> None:
    """Symbolic links are kept as links: what they point to is not."""
    script = (
        "mkdir out; ln -s /etc/passwd out/link; ln -s /etc out/dir; ln -s /etc/passwd alone;"
        "ln -s loop out/loop; ln -s /no/where out/dangling"
    )
    ran = await lab.shell(script, artifacts=("out", "alone"))
    wanted = {
        "out": None, "out/link": "/etc/passwd", "out/dir": "/etc", "alone": "/etc/passwd",
        "out/loop": "loop", "out/dangling": "/no/where",
    }  # fmt: skip
    expect(dict(ran.kept), wanted, "artifacts")


@case("runs_programs")
async def special_files_do_not_block(lab: Lab) -> None:
    """A FIFO and a socket among the artifacts hold nobody up."""
    code = (
        "import os, socket; os.mkdir('out'); os.mkfifo('out/fifo'); os.mkfifo('alone')\n"
        "socket.socket(socket.AF_UNIX).bind('out/socket'); open('out/file', 'w').write('x')"
    )
    async with asyncio.timeout(20):
        ran = await lab.python(code, artifacts=("out", "alone"))
    expect(ran.kept.get("out/file"), b"x", "the file beside them")
    expect(ran.exit.code, 0, "exit status")


@case()
async def artifacts_that_nobody_fetches(lab: Lab) -> None:
    """A sandbox that holds artifacts can be destroyed, and a kill ends it."""
    commands = lab.commands
    command = commands.command(commands.write("kept", "x"))
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *command, artifacts=("kept",))
        await asyncio.sleep(0.3)
        async with asyncio.timeout(KILL_TIME):
            await sandbox.kill()
            await sandbox.wait()
    expect(await lab.listed(), {}, "sandboxes listed")


@case("runs_programs")
async def artifacts_and_daemons(lab: Lab) -> None:
    """What the command leaves running in the background does not delay the artifacts."""
    async with asyncio.timeout(20):
        ran = await lab.shell("echo x >kept; sleep 300 & exit 3", artifacts=("kept",))
    expect((dict(ran.kept), ran.exit.code), ({"kept": b"x\n"}, 3), "artifacts and exit status")


@case("runs_programs")
async def artifacts_half_fetched(lab: Lab) -> None:
    """Who stops in the middle of the artifacts can still destroy the sandbox."""
    async with lab.sandbox() as sandbox:
        script = f"head -c {8 * MIB} /dev/zero >large"
        await lab.launch(sandbox, "/bin/sh", "-c", script, artifacts=("large",))
        artifacts = sandbox.artifacts()
        async for _ in artifacts:
            break
        await artifacts.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(KILL_TIME):
            await sandbox.destroy()
    expect(await lab.listed(), {}, "sandboxes listed")


@case("runs_programs")
async def launch_with_everything(lab: Lab) -> None:
    """Files, standard input, variables and artifacts go together."""
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(
            sandbox, "/bin/sh", "-c", 'cat - file; printf %s "$V" >out; exit 2',
            files=(lab.source(b"file", "/home/agent/file"),), stdin=lab.source(b"input "),
            env={"V": "variable"}, artifacts=("out",),
        )  # fmt: skip
        ran = await finish(sandbox, launch)
        expect(ran.stdout, b"input file", "standard output")
        expect((dict(ran.kept), ran.exit.code), ({"out": b"variable"}, 2), "artifacts and status")
