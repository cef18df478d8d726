"""The life of a sandbox, and what its engine knows of it."""

from __future__ import annotations

import asyncio

from evalbox.engines.base import Stream
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import (
    KILL_TIME,
    Lab,
    expect,
    expect_that,
    read,
    read_until,
    until,
)
from evalbox.errors import EngineError, ImageNotFound, SandboxGone

WORKDIR = "/home/agent"


@case()
async def a_healthy_engine(lab: Lab) -> None:
    """``ping`` is silent, and ``check`` finds no failure with the image."""
    await lab.engine.ping()
    failures = [check for check in await lab.engine.check(lab.image) if check.level == "failure"]
    expect(failures, [], "failures")


@case("knows_images")
async def an_unknown_image(lab: Lab) -> None:
    """An image that does not exist is ``ImageNotFound``."""
    try:
        await lab.engine.image("evalbox/no-such-image:conformance")
    except ImageNotFound:
        return
    expect_that(False, "an image that does not exist was found")


@case()
async def a_known_image(lab: Lab) -> None:
    """An image has an immutable id, by which it is found as well, and a digest to record."""
    image = await lab.engine.image(lab.image)
    expect_that(bool(image.id and image.digest), f"no id or digest: {image}")
    expect((await lab.engine.image(image.id)).digest, image.digest, "digest of the id")


@case()
async def launching_twice(lab: Lab) -> None:
    """The same launch again changes nothing: neither before nor after the end."""
    commands = lab.commands
    command = commands.command(commands.echo("once"), commands.sleep(0.2), commands.exit(3))
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(sandbox, *command)
        await sandbox.launch(launch)
        expect((await read(sandbox))[Stream.STDOUT], b"once\n", "standard output")
        expect((await sandbox.wait()).code, 3, "exit status")
        await sandbox.launch(launch)
        expect((await sandbox.wait()).code, 3, "exit status after another launch")


@case("runs_programs")
async def a_sandbox_that_waits(lab: Lab) -> None:
    """A sandbox waits for its command as long as it takes, and is listed as running."""
    async with lab.sandbox() as sandbox:
        await asyncio.sleep(1)
        info = (await lab.listed()).get(sandbox.id)
        expect_that(info is not None and info.running, f"listed as {info}")
        await lab.launch(sandbox, "echo", "late")
        expect((await read(sandbox))[Stream.STDOUT], b"late\n", "standard output")


@case("runs_programs")
async def sandboxes_apart(lab: Lab) -> None:
    """Two sandboxes at once see nothing of each other's files, nor does a third after them."""
    script = "ls -A; echo $1 >mine; sleep 0.3; cat *"
    async with lab.sandbox() as one, lab.sandbox() as two:
        await lab.launch(one, "sh", "-c", script, "sh", "1", workdir=f"{WORKDIR}/work")
        await lab.launch(two, "sh", "-c", script, "sh", "2", workdir=f"{WORKDIR}/work")
        printed = [(await read(sandbox))[Stream.STDOUT] for sandbox in (one, two)]
        expect(printed, [b"1\n", b"2\n"], "files seen")
    ran = await lab.run("sh", "-c", script, "sh", "3", workdir=f"{WORKDIR}/work")
    expect(ran.stdout, b"3\n", "files seen afterwards")


@case()
async def labels_are_listed(lab: Lab) -> None:
    """A box's sandboxes are listed with their labels, and no other box's are."""
    async with lab.sandbox() as sandbox:
        listed = await lab.listed()
        expect(set(listed), {sandbox.id}, "sandboxes listed")
        labels = dict(listed[sandbox.id].labels)
        expect(labels | lab.labels, labels, "labels")
        expect(list(await lab.engine.list(lab.box + "x")), [], "sandboxes of another box")


@case()
async def the_end_is_listed(lab: Lab) -> None:
    """A sandbox whose command has ended is not listed as running."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *lab.commands.command(lab.commands.exit(0)))
        await sandbox.wait()

        async def ended() -> bool:
            info = (await lab.listed()).get(sandbox.id)
            return info is None or not info.running

        await until(ended, "listed as ended")


@case()
async def destroying(lab: Lab) -> None:
    """``destroy`` may be called again, and its sandbox is listed no more."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *lab.commands.command(lab.commands.exit(0)))
        await sandbox.wait()
        await sandbox.destroy()
        await sandbox.destroy()
        expect(await lab.listed(), {}, "sandboxes listed")


@case()
async def destroying_what_runs(lab: Lab) -> None:
    """A command that runs is destroyed with its sandbox, and who waits is not left waiting."""
    async with lab.sandbox() as sandbox:
        await lab.launch(sandbox, *lab.commands.command(lab.commands.sleep(60)))
        waiting = asyncio.create_task(sandbox.wait())
        await asyncio.sleep(0.1)
        async with asyncio.timeout(KILL_TIME):
            await sandbox.destroy()
        done, _ = await asyncio.wait({waiting}, timeout=KILL_TIME)
        expect_that(bool(done) or not waiting.cancel(), "who waited still waits")
        expect_that(not waiting.cancelled(), "who waited was cancelled")
        failure = waiting.exception()
        expect_that(failure is None or isinstance(failure, EngineError), f"raised {failure!r}")
        expect(await lab.listed(), {}, "sandboxes listed")


@case()
async def the_same_name_again(lab: Lab) -> None:
    """A creation with a name that is taken replaces what bears it."""
    name = lab.box + "-named"
    async with lab.sandbox(name=name) as first, lab.sandbox(name=name) as second:
        expect_that(first.id != second.id, "the same sandbox was given twice")
        expect(set(await lab.listed()), {second.id}, "sandboxes listed")
        await lab.launch(second, *lab.commands.command(lab.commands.exit(3)))
        expect((await second.wait()).code, 3, "exit status")


@case()
async def a_creation_that_is_cancelled(lab: Lab) -> None:
    """Nothing is left of a creation that is cancelled, whenever that is."""
    profile = await lab.profile()
    for delay in (0.0, 0.02, 0.2):
        making = asyncio.create_task(lab.engine.create(profile, labels=lab.labels))
        await asyncio.sleep(delay)
        if not making.cancel():
            await (await making).destroy()
        await asyncio.gather(making, return_exceptions=True)

    async def nothing_left() -> bool:
        return not await lab.listed()

    await until(nothing_left, "nothing left", 10)


@case()
async def reaping(lab: Lab) -> None:
    """``reap`` removes this box's sandboxes but those to be kept."""
    commands = lab.commands
    async with lab.sandbox() as kept, lab.sandbox() as running, lab.sandbox() as idle:
        await lab.launch(running, *commands.command(commands.sleep(60)))
        await lab.launch(kept, *commands.command(commands.sleep(0.5), commands.echo("kept")))
        expect(await lab.engine.reap(lab.box + "x", frozenset()), 0, "reaped of another box")
        expect(await lab.engine.reap(lab.box, frozenset({kept.id})), 2, "reaped")
        expect(set(await lab.listed()), {kept.id}, f"listed (not {running.id}, {idle.id})")
        expect((await read(kept))[Stream.STDOUT], b"kept\n", "output of what was kept")


@case()
async def adopting_nothing(lab: Lab) -> None:
    """A sandbox that does not exist cannot be adopted: ``SandboxGone``."""
    try:
        await lab.engine.adopt("0" * 64)
    except SandboxGone:
        return
    expect_that(False, "a sandbox that does not exist was adopted")


@case("adopts")
async def adopting_what_runs(lab: Lab) -> None:
    """An adopted sandbox's output goes on without loss or repetition, and so does its command."""
    commands = lab.commands
    command = commands.command(
        commands.echo("one"), commands.error("err"), commands.sleep(1.5),
        commands.echo("two"), commands.exit(5),
    )  # fmt: skip
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(sandbox, *command)
        seen = await read_until(sandbox, b"one\n")
        async with lab.later() as engine:
            adopted = await engine.adopt(sandbox.id)
            await adopted.prepare(launch)
            await adopted.launch(launch)
            rest = await read(adopted, {Stream.STDOUT: len(seen), Stream.STDERR: 1})
            expect(seen + rest[Stream.STDOUT], b"one\ntwo\n", "standard output")
            expect(rest[Stream.STDERR], b"rr\n", "standard error")
            expect((await adopted.wait()).code, 5, "exit status")


@case("adopts")
async def adopting_what_has_ended(lab: Lab) -> None:
    """Of a sandbox that ended meanwhile, output and exit status are still there."""
    commands = lab.commands
    command = commands.command(commands.echo("hello"), commands.exit(6))
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(sandbox, *command)
        await sandbox.wait()
        async with lab.later() as engine:
            adopted = await engine.adopt(sandbox.id)
            await adopted.prepare(launch)
            await adopted.launch(launch)
            expect((await read(adopted))[Stream.STDOUT], b"hello\n", "standard output")
            expect((await adopted.wait()).code, 6, "exit status")
            await adopted.destroy()
        expect(await lab.listed(), {}, "sandboxes listed")


@case("adopts")
async def adopting_what_waits(lab: Lab) -> None:
    """A sandbox whose launch never arrived is launched by who adopts it."""
    commands = lab.commands
    async with lab.sandbox() as sandbox, lab.later() as engine:
        adopted = await engine.adopt(sandbox.id)
        launch = await lab.launch(
            adopted,
            *commands.command(commands.show("file"), commands.exit(7)),
            files=(lab.source(b"content", f"{WORKDIR}/file"),),
        )
        await adopted.launch(launch)
        expect((await read(adopted))[Stream.STDOUT], b"content", "standard output")
        expect((await adopted.wait()).code, 7, "exit status")


@case("adopts")
async def adopting_with_artifacts(lab: Lab) -> None:
    """The artifacts of an adopted sandbox are there, and so is its exit status."""
    commands = lab.commands
    command = commands.command(
        commands.echo("one"), commands.sleep(0.5), commands.write("kept", "text"), commands.exit(8)
    )
    async with lab.sandbox() as sandbox:
        launch = await lab.launch(sandbox, *command, artifacts=("kept",))
        await read_until(sandbox, b"one\n")
        async with lab.later() as engine:
            adopted = await engine.adopt(sandbox.id)
            await adopted.prepare(launch)
            await adopted.launch(launch)
            archive = b"".join([piece async for piece in adopted.artifacts()])
            expect_that(b"text" in archive, "the artifact is missing")
            expect((await adopted.wait()).code, 8, "exit status")


@case()
async def side_by_side(lab: Lab) -> None:
    """Several sandboxes at once each do their own."""
    commands = lab.commands

    async def one(number: int) -> tuple[bytes, int | None]:
        steps = (commands.echo(str(number)), commands.sleep(0.1), commands.exit(number))
        ran = await lab.run(*commands.command(*steps))
        return ran.stdout, ran.exit.code

    found = await asyncio.gather(*(one(number) for number in range(3)))
    expect(found, [(f"{number}\n".encode(), number) for number in range(3)], "output and status")
