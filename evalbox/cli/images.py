"""``evalbox images``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalbox.cli import render
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.inert import inert_line
from evalbox.domain.quantity import format_size
from evalbox.wire import document

if TYPE_CHECKING:
    from evalbox.domain.image import Image


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
@json_option
@with_session
async def images_build(session: Session, *, force: bool, mirror: str | None, as_json: bool) -> None:
    """Make the base image, from a registry or else from Debian's packages."""
    async with session.box() as box:
        place = {} if mirror is None else {"mirror": mirror}
        built = await box.images.build_base(session.console.note, force=force, **place)
    _show(session, [built], as_json=as_json)


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
