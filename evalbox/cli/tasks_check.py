"""``evalbox tasks check``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from evalbox.cli import render
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.inert import inert_line
from evalbox.wire import document

if TYPE_CHECKING:
    from evalbox.requests.attempts import PreparedFamily
    from evalbox.service.checking import Finding

_EMPTY, _GIVEN = "empty submission", "given submission"


@click.command("check", cls=Command, epilog="Exit status: 0 if all went well, 1 if not.")
@click.argument("path", metavar="FAMILY[/TASK]")
@click.option("--submission", metavar="TEXT|@FILE", help="Score this in each task, too.")
@click.option("--agent", metavar="WHO", help="Or what this leaves: as for evalbox run.")
@click.option("--task", multiple=True, metavar="GLOB", help="Only these tasks.")
@click.option("--secrets", metavar="FILE", help="NAME=VALUE lines for required variables.")
@click.option("--deadline", multiple=True, metavar="PHASE=TIME", help="As for evalbox run.")
@click.option("--engine", help="gvisor (default), runc or fake.")
@click.option("--image", help="What the family's image is built upon.")
@json_option
@with_session
async def tasks_check(session: Session, *, path: str, as_json: bool, **given: Any) -> int:
    """Try all of a family: its image, each task from setup to teardown with an empty submission and
    with a given one, and its tests, which pytest runs in its image.
    """
    from evalbox.service.checking import check_family

    attempts = _attempts(session, path, given)
    findings: list[Finding] = []
    async with session.box(work=True) as box:
        await box.require_engine(attempts[_EMPTY].spec.engine)
        async with aclosing(check_family(box, attempts, session.console.build)) as found:
            async for finding in found:
                findings.append(finding)
                session.console.status(f"{finding.what}: {finding.how}")
    if as_json:
        session.console.json([_document(finding) for finding in findings])
    else:
        _print(session.console, findings)
    return 0 if all(finding.well for finding in findings) else 1


def _attempts(session: Session, path: str, given: dict[str, Any]) -> dict[str, PreparedFamily]:
    from evalbox.cli.run import defaults
    from evalbox.requests.attempts import PreparedFamily
    from evalbox.requests.request import Request

    empty = Request(path=path, **given | {"agent": None, "submission": ""})
    wanted = {_EMPTY: empty}
    if given["submission"] is not None or given["agent"] is not None:
        wanted[_GIVEN] = replace(empty, submission=given["submission"], agent=given["agent"])
    found = {}
    for how, request in wanted.items():
        prepared = request.prepare(defaults(session.settings), now=time.time())
        if isinstance(prepared, PreparedFamily):
            found[how] = prepared
    return found


def _print(console: Console, findings: Sequence[Finding]) -> None:
    rows = [
        [
            render.cell(finding.what),
            finding.how,
            console.style("ok", "green") if finding.well else console.style("broken", "red"),
            render.score(console, finding.score) if finding.score else "-",
            finding.evaluation.short_id if finding.evaluation else "-",
            inert_line(finding.note.replace("\n", " ")) or "-",
        ]
        for finding in findings
    ]
    header = ["WHAT", "HOW", "RESULT", "SCORE", "ID", "WHY"]
    console.data(render.table(console, header, rows))
    broken = sum(not finding.well for finding in findings)
    console.note(f"{broken} of {len(findings)} broken" if broken else "all is well")


def _document(finding: Finding) -> dict[str, Any]:
    return {
        "what": finding.what,
        "how": finding.how,
        "well": finding.well,
        "note": finding.note,
        "score": document.score(finding.score) if finding.score else None,
        "evaluation": finding.evaluation.id if finding.evaluation else None,
    }
