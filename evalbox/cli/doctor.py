"""``evalbox doctor``."""

from __future__ import annotations

from dataclasses import asdict

import click

from evalbox.cli import status
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.inert import inert_line
from evalbox.cli.options import engine_name, json_option
from evalbox.cli.session import Session

_STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}
_UNUSABLE = 69
_NAME_WIDTH = 26


@click.command("doctor", cls=Command)
@click.option("--engine", multiple=True, help="Only these engines.  [default: gvisor and runc]")
@json_option
@with_session
async def doctor_command(session: Session, engine: tuple[str, ...], as_json: bool) -> int:
    """Check this machine, with the remedy for what is wrong.

    Exits with 0 where all is well, 1 after warnings, 69 after a failure.
    """
    from evalbox.service.doctor import Check, diagnose

    engines = [engine_name(name) for name in engine] or ["gvisor", "runc"]
    found: list[Check] = []
    async for check in diagnose(session.settings, engines=engines):
        found.append(check)
        if not as_json:
            _print(session.console, check.name, check.level, check.detail, check.remedy)
    if as_json:
        session.console.json([asdict(check) for check in found])
    levels = {check.level for check in found}
    if "failure" in levels:
        return _UNUSABLE
    return status.WARNING if "warning" in levels else status.OK


def _print(console: Console, name: str, level: str, detail: str, remedy: str) -> None:
    mark = console.style(f"{level:<8}", _STYLES.get(level, "bold"))
    console.data(f"{mark} {name:<{_NAME_WIDTH}} {inert_line(detail)}")
    if remedy and level != "ok":
        console.data(f"{'':<8} {'':<{_NAME_WIDTH}} remedy: {inert_line(remedy)}")
