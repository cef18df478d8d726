"""``evalbox artifacts``."""

from __future__ import annotations

from pathlib import Path

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.options import id_argument, json_option
from evalbox.cli.session import Session
from evalbox.domain.inert import inert_line
from evalbox.domain.quantity import format_size
from evalbox.errors import ArtifactNotFound
from evalbox.export.artifacts import copy_all
from evalbox.export.saving import save
from evalbox.requests.values import whole
from evalbox.service.box import Box
from evalbox.wire import document


@click.command("artifacts", cls=Command)
@id_argument()
@click.option("--get", "wanted", metavar="PATH", help="Fetch this one.")
@click.option("--output", "-o", metavar="FILE|-", help="Where --get writes.  [default: its name]")
@click.option("--to", "directory", metavar="DIR", type=click.Path(), help="Fetch all into DIR.")
@click.option("--attempt", metavar="N", help="Of this attempt.  [default: the newest]")
@json_option
@with_session
async def artifacts_command(
    session: Session,
    *,
    reference: str,
    wanted: str | None,
    output: str | None,
    directory: str | None,
    attempt: str | None,
    as_json: bool,
) -> None:
    """List or fetch the files that an evaluation left."""
    if wanted is not None and directory is not None:
        raise click.UsageError("--get and --to exclude each other.")
    if output is not None and wanted is None:
        raise click.UsageError("--output goes with --get.")
    number = None if attempt is None else whole(attempt, field="attempt", low=1, high=1 << 31)
    async with session.box() as box:
        evaluation_id = await box.resolve(reference)
        if wanted is not None:
            await _get(session, box, evaluation_id, wanted=wanted, output=output, attempt=number)
        elif directory is not None:
            copied = await copy_all(box, evaluation_id, Path(directory), attempt=number)
            for record in copied.skipped:
                session.console.warn(f"{inert_line(record.path)} was not kept: {record.reason}")
            if as_json:
                session.console.json({"directory": directory, "files": copied.files})
            count = len(copied.files)
            session.console.note(f"{count} files, {format_size(copied.size)}, in {directory}")
        else:
            await _list(session, box, evaluation_id, number, as_json=as_json)


async def _get(
    session: Session,
    box: Box,
    evaluation_id: str,
    *,
    wanted: str,
    output: str | None,
    attempt: int | None,
) -> None:
    records = await box.artifacts(evaluation_id, attempt=attempt)
    record = next((item for item in records if item.path == wanted), None)
    if record is None or record.kind != "file":
        raise ArtifactNotFound(
            f"evaluation {evaluation_id[-8:]} kept no artifact {wanted!r}",
            hint=f"list them with: evalbox artifacts {evaluation_id[-8:]}",
        )
    content = box.read_artifact(evaluation_id, wanted, attempt=attempt)
    if output == "-":
        async for data in content:
            session.console.binary(data)
        return
    place = Path(output) if output is not None else Path(Path(wanted).name)
    await save(content, place, executable=bool(record.mode & 0o100))
    session.console.note(f"{format_size(record.size)} in {place}")


async def _list(
    session: Session, box: Box, evaluation_id: str, attempt: int | None, *, as_json: bool
) -> None:
    records = await box.artifacts(evaluation_id, attempt=attempt)
    console = session.console
    if as_json:
        console.json([document.artifact(record) for record in records])
    elif records:
        rows = [
            [
                format_size(record.size) if record.kind == "file" else "-",
                inert_line(record.path),
                inert_line(record.reason),
            ]
            for record in records
        ]
        console.data(render.table(console, ["SIZE", "PATH", ""], rows))
    else:
        console.note("no artifacts were kept")
