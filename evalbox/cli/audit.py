"""``evalbox audit``."""

from __future__ import annotations

import click

from evalbox.cli import render, status
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.audit import AuditEntry
from evalbox.domain.moments import local
from evalbox.requests.values import whole
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
        console.note(f"{report.entries} entries, all sound; above is the head's hash")
    else:
        console.data(f"broken at entry {report.broken_at}: {report.problem}")
    return status.OK if report.sound else status.WARNING


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
