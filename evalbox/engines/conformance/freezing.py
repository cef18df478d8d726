"""Images that are made of what a sandbox holds, and what root may do in it."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from evalbox.domain.building import BUILT
from evalbox.domain.limits import GIB
from evalbox.engines.base import Launch, Sandbox
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, execute, expect, expect_that
from evalbox.engines.execution import IDLE
from evalbox.errors import ImageBuildError, ImageNotFound

ROOT = "0:0"
#: Root as a build has it, and without any right.
_RIGHTS = ("CHOWN", "DAC_OVERRIDE", "FOWNER")


async def _content(data: bytes) -> AsyncIterator[bytes]:
    yield data


def _left(place: str) -> list[Path]:
    return list(Path(place).iterdir())


@asynccontextmanager
async def _root(
    lab: Lab, image: str = "", rights: tuple[str, ...] = _RIGHTS
) -> AsyncIterator[Sandbox]:
    profile = replace(await lab.profile(), user=ROOT, workdir="/", capabilities=rights)
    if image:
        profile = replace(profile, image=(await lab.engine.image(image)).id)
    sandbox = await lab.engine.create(profile, labels=lab.labels)
    try:
        await sandbox.launch(Launch(IDLE, "/"))
        yield sandbox
    finally:
        await sandbox.destroy()


@asynccontextmanager
async def _kept(lab: Lab, sandbox: Sandbox) -> AsyncIterator[str]:
    """An image of it, for the length of a block."""
    name = f"{BUILT}:{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as place:
        labels = {"evalbox.conformance": "yes"}
        await lab.engine.keep_image(sandbox, name, labels=labels, most=8 * GIB, at=Path(place))
        expect(_left(place), [], "what is left beside the image")
    try:
        yield name
    finally:
        await lab.engine.drop_image(name)


@case("keeps_images")
async def image_of_a_sandbox(lab: Lab) -> None:
    """What was put into a sandbox is in what is made of its image, and in no other."""
    async with _root(lab) as sandbox:
        await sandbox.files.write("/opt/new/place/file", _content(b"kept\0"), 0o600, ROOT)
        async with _kept(lab, sandbox) as name:
            image = await lab.engine.image(name)
            expect_that(name in image.names, "the name of the image")
            async with _root(lab, name) as other:
                read = [piece async for piece in other.files.read("/opt/new/place/file", ROOT)]
                expect(b"".join(read), b"kept\0", "content")
    try:
        await lab.engine.image(name)
    except ImageNotFound:
        return
    expect_that(False, "the image is there after it was dropped")


@case("keeps_images", "runs_programs")
async def image_with_all_kinds(lab: Lab) -> None:
    """Links, owners, modes, times and odd names are kept; what was in the image stays as it was."""
    prepare = (
        "cd /opt && echo one >a && ln a b && ln -s a c && mkdir d && chmod 2751 d && chown 7:8 a"
        " && touch -d @1000000000 e && : >'new\nline' && echo changed >/etc/motd && chmod 4755 e"
    )
    look = (
        "cd /opt && stat -c '%n %F %a %u:%g %h' a b c d e && readlink c && stat -c %Y e && ls |"
        " wc -l && cat /etc/motd && env | grep -c ^PATH= && id -u agent && cat a"
    )
    async with _root(lab) as sandbox:
        done = await execute(sandbox, "/bin/sh", "-c", prepare)
        expect((done.stderr, done.status), (b"", 0), "preparing")
        wanted = await execute(sandbox, "/bin/sh", "-c", look)
        async with _kept(lab, sandbox) as name, _root(lab, name) as other:
            found = await execute(other, "/bin/sh", "-c", look)
            expect((found.stdout, found.status), (wanted.stdout, 0), "what is there")


@case("keeps_images", "runs_programs")
async def image_without_what_was_removed(lab: Lab) -> None:
    """What a sandbox has removed is not in its image, nor is what was in its /tmp."""
    async with _root(lab) as sandbox:
        script = "rm /etc/shells && rm -r /usr/share/perl* && echo x >/tmp/x && echo x >/opt/x"
        done = await execute(sandbox, "/bin/sh", "-c", script)
        expect((done.stderr, done.status), (b"", 0), "removing")
        async with _kept(lab, sandbox) as name, _root(lab, name) as other:
            script = "ls -d /etc/shells /usr/share/perl* /tmp/x /opt/x 2>/dev/null; id -un; pwd"
            found = await execute(other, "/bin/sh", "-c", script)
            expect(found.stdout, b"/opt/x\nroot\n/\n", "what is there")


@case("keeps_images", "runs_programs")
async def image_too_large(lab: Lab) -> None:
    """An image that would be too large is none."""
    async with _root(lab) as sandbox:
        await execute(sandbox, "/bin/sh", "-c", "head -c 4000000 /dev/zero >/opt/large")
        name = f"{BUILT}:{secrets.token_hex(8)}"
        with tempfile.TemporaryDirectory() as place:
            try:
                await lab.engine.keep_image(sandbox, name, labels={}, most=1 << 20, at=Path(place))
            except ImageBuildError:
                expect(_left(place), [], "what is left")
                return
    expect_that(False, "it was kept")


@case("isolates")
async def rights_of_root(lab: Lab) -> None:
    """Root has the capabilities that it is given, and no others; nobody gains any."""
    read = "grep CapEff /proc/self/status; chown 5:5 /opt && echo may; su -c id agent 2>&1; true"
    async with _root(lab, rights=()) as sandbox:
        done = await execute(sandbox, "/bin/sh", "-c", read)
        expect_that(b"CapEff:\t0000000000000000" in done.stdout, "rights of a root without any")
        expect_that(b"may" not in done.stdout, "it may give files away")
    async with _root(lab, rights=("CHOWN",)) as sandbox:
        done = await execute(sandbox, "/bin/sh", "-c", read)
        expect_that(b"CapEff:\t0000000000000001" in done.stdout, "the one that it was given")
        expect_that(b"may" in done.stdout, "it may not give files away")
        found = await execute(sandbox, "/bin/sh", "-c", "grep CapEff /proc/self/status", user="7:7")
        expect_that(b"CapEff:\t0000000000000000" in found.stdout, "rights of another user")
