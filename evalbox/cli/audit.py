"""``evalbox audit``."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import click

from evalbox.cli import render, status
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.audit import AuditEntry
from evalbox.domain.moments import local, parse_since
from evalbox.export.saving import save
from evalbox.requests.values import whole
from evalbox.service.box import Audit
from evalbox.wire import access

_MOST = 10_000
_WIDTH = 40


@click.group("audit", cls=Group, default="ls")
def audit_command() -> None:
    """See who did what, and check the record of it."""


@audit_command.command("ls")
@click.option("--after", metavar="SEQ", help="The entries after this one, in place of the newest.")
@click.option("-n", "--limit", metavar="N", default="30", help="At most so many; default 30.")
@json_option
@with_session
async def audit_ls(session: Session, *, after: str | None, limit: str, as_json: bool) -> None:
    """List entries, the oldest first."""
    start = None if after is None else whole(after, field="after", low=0, high=1 << 62)
    most = whole(limit, field="limit", low=1, high=_MOST)
    async with session.box() as box:
        found = await box.audit.list(after=start, limit=most)
    console = session.console
    if as_json:
        console.json([access.entry(entry) for entry in found])
        return
    header = ["SEQ", "TIME", "ACTOR", "FROM", "ACTION", "TARGET", "RESULT"]
    console.data(render.table(console, header, [_row(entry) for entry in found]))


@audit_command.command("prune")
@click.option("--before", metavar="WHEN", help="A time, or an age such as 90d.", required=True)
@click.option("--export", metavar="FILE", type=Path, help="First write them to a new file.")
@json_option
@with_session
async def audit_prune(session: Session, *, before: str, export: Path | None, as_json: bool) -> None:
    """Take out the oldest entries. One that stays tells of it, and the rest is verified still."""
    moment = parse_since(before, now=time.time(), field="before")
    async with session.box() as box:
        if export is not None:
            await save(_lines(box.audit, moment), export, replace=False)
        pruned = await box.audit.prune(moment)
    console = session.console
    if as_json:
        console.json(access.pruned(pruned))
        return
    console.data(str(pruned.removed))
    console.note(f"{pruned.removed} entries are gone; the log now follows entry {pruned.through}")


@audit_command.command("verify")
@click.option("--expect", metavar="HASH", help="A head that an earlier check printed.")
@json_option
@with_session
async def audit_verify(session: Session, *, expect: str | None, as_json: bool) -> int:
    """Check the whole log. Keep the head elsewhere: with it, a log written anew shows."""
    async with session.box() as box:
        report = await box.audit.verify(expect)
    console = session.console
    if as_json:
        console.json(access.report(report))
    elif report.sound:
        console.data(report.head)
        pruned = f", {report.pruned} pruned before them" if report.pruned else ""
        console.note(f"{report.entries} entries, all sound{pruned}; above is the head's hash")
    else:
        console.data(f"broken at entry {report.broken_at}: {report.problem}")
    return status.OK if report.sound else status.WARNING


async def _lines(audit: Audit, before: float) -> AsyncIterator[bytes]:
    """The entries from before that moment, one a line."""
    after = 0
    while found := await audit.list(after=after, limit=access.MOST_ENTRIES):
        for entry in found:
            if entry.at >= before:
                return
            yield json.dumps(access.entry(entry)).encode() + b"\n"
        after = found[-1].seq


def _row(entry: AuditEntry) -> list[str]:
    return [
        str(entry.seq),
        local(entry.at),
        render.cell(entry.actor),
        render.cell(entry.source),
        render.cell(entry.action),
        render.cell(entry.target[:_WIDTH]) or "-",
        render.cell(entry.result),
    ]
