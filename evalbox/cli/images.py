"""``evalbox images``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalbox.cli import render
from evalbox.cli.command import Group, with_session
from evalbox.cli.control import ask
from evalbox.cli.options import json_option, yes_option
from evalbox.cli.session import Session
from evalbox.domain.building import BUILT, BuildState
from evalbox.domain.inert import inert_line
from evalbox.domain.quantity import format_duration, format_size, parse_duration
from evalbox.wire import builds as wire
from evalbox.wire import document

if TYPE_CHECKING:
    from evalbox.domain.building import BuildRecord
    from evalbox.domain.image import Image


#: Characters of the reason of a failure that a line has room for.
_REASON = 80


@click.group("images", cls=Group, default="ls")
def images_command() -> None:
    """List, build, load, pull and remove images."""


@images_command.command("ls")
@json_option
@with_session
async def images_ls(session: Session, as_json: bool) -> None:
    """List images, with digest and size."""
    async with session.box() as box:
        found = await box.images.list()
    _show(session, found, as_json=as_json)


@images_command.command("build")
@click.option("--force", is_flag=True, help="Build it even where it is there and up to date.")
@click.option("--mirror", metavar="URL", help="Where Debian's packages come from.")
@click.option(
    "--task-standard", is_flag=True, help="Make the one for METR Task Standard families, upon it."
)
@json_option
@with_session
async def images_build(
    session: Session, *, force: bool, mirror: str | None, task_standard: bool, as_json: bool
) -> None:
    """Make the base image, from a registry or else from Debian's packages."""
    async with session.box() as box:
        place = {} if mirror is None else {"mirror": mirror}
        if task_standard:
            built = await box.images.build_task_standard(session.console.note, force=force)
        else:
            built = await box.images.build_base(session.console.note, force=force, **place)
    _show(session, [built], as_json=as_json)


@images_command.command("builds")
@json_option
@with_session
async def images_builds(session: Session, as_json: bool) -> None:
    """List the images that evalbox has built for tasks."""
    async with session.box() as box:
        found = await box.images.builds()
    _show_builds(session, found, as_json=as_json)


@images_command.command("log")
@click.argument("build", metavar="BUILD")
@click.option("-f", "--follow", is_flag=True, help="Go on until the build is over.")
@with_session
async def images_log(session: Session, build: str, follow: bool) -> None:
    """Print what a build printed; BUILD is the beginning of its key, or the image's name."""
    async with session.box() as box:
        record = await box.images.build(build.removeprefix(f"{BUILT}:"))
        async for data in box.images.build_log(record.key, follow=follow):
            session.console.job(1, data)
    session.console.end_of_job()


@images_command.command("prune")
@click.option(
    "--unused",
    metavar="DURATION",
    default="7d",
    show_default=True,
    help="Those that were not used for so long.",
)
@click.option("--dry-run", is_flag=True, help="Only list what would be removed.")
@yes_option
@json_option
@with_session
async def images_prune(
    session: Session, *, unused: str, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Remove images that evalbox has built for tasks; they are built again when asked for."""
    seconds = parse_duration(unused, field="--unused")
    async with session.box() as box:
        before = time.time() - seconds
        due = [
            one
            for one in await box.images.builds()
            if one.state is BuildState.READY and one.used_at <= before
        ]
        size = format_size(sum(one.size for one in due))
        if due and not dry_run:
            ask(session, f"Remove {len(due)} images of {size}?", yes=yes)
        removed = await box.images.prune(seconds) if due and not dry_run else []
    if dry_run:
        session.console.note(f"{len(due)} images of {size} would be removed")
        _show_builds(session, due, as_json=as_json)
        return
    if not as_json:
        freed = format_size(sum(one.size for one in removed))
        session.console.note(f"removed {len(removed)} images{f' of {freed}' if removed else ''}")
    _show_builds(session, removed, as_json=as_json)


@images_command.command("load")
@click.argument("file", metavar="FILE", type=click.Path())
@json_option
@with_session
async def images_load(session: Session, file: str, as_json: bool) -> None:
    """Load images from a tar file that docker save wrote."""
    async with session.box() as box:
        loaded = await box.images.load(Path(file))
    _show(session, loaded, as_json=as_json)


@images_command.command("pull")
@click.argument("reference", metavar="IMAGE")
@json_option
@with_session
async def images_pull(session: Session, reference: str, as_json: bool) -> None:
    """Pull an image from its registry."""
    async with session.box() as box:
        pulled = await box.images.pull(reference, session.console.status)
    _show(session, [pulled], as_json=as_json)


@images_command.command("rm")
@click.argument("references", metavar="IMAGE...", nargs=-1, required=True)
@json_option
@with_session
async def images_rm(session: Session, references: tuple[str, ...], as_json: bool) -> None:
    """Remove images."""
    async with session.box() as box:
        for reference in references:
            await box.images.remove(reference)
            session.console.note(f"removed {reference}")
    if as_json:
        session.console.json(list(references))


def _show(session: Session, images: Sequence[Image], *, as_json: bool) -> None:
    console = session.console
    if as_json:
        console.json([document.image(image) for image in images])
        return
    if not images:
        console.note("there are no images; make the base image with: evalbox images build")
        return
    now = time.time()
    rows = [
        [
            inert_line(", ".join(image.names) or "-"),
            image.digest.rpartition("@")[2][:19],
            format_size(image.size),
            render.age(image.created_at, now) if image.created_at is not None else "-",
        ]
        for image in images
    ]
    console.data(render.table(console, ["NAME", "DIGEST", "SIZE", "AGE"], rows))


def _show_builds(session: Session, builds: Sequence[BuildRecord], *, as_json: bool) -> None:
    console = session.console
    if as_json:
        console.json([wire.build(one) for one in builds])
        return
    if not builds:
        return
    now = time.time()
    rows = [
        [
            one.image,
            one.state,
            inert_line(one.base),
            format_size(one.size) if one.size else "-",
            format_duration(one.seconds),
            render.age(one.used_at, now),
            inert_line(one.reason)[:_REASON],
        ]
        for one in builds
    ]
    heads = ["IMAGE", "STATE", "BASE", "SIZE", "TOOK", "USED", "REASON"]
    console.data(render.table(console, heads, rows))
