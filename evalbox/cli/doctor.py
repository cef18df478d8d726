"""``evalbox doctor``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict

import click

from evalbox.cli import status
from evalbox.cli.command import Command, with_session
from evalbox.cli.console import Console
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.check import Check
from evalbox.domain.engine import engine_name
from evalbox.domain.inert import inert_line

_STYLES = {"ok": "green", "warning": "yellow", "failure": "red"}
_UNUSABLE = 69
_NAME_WIDTH = 26


@click.command("doctor", cls=Command)
@click.option("--engine", multiple=True, help="Only these engines.  [default: gvisor and runc]")
@json_option
@with_session
async def doctor_command(session: Session, engine: tuple[str, ...], as_json: bool) -> int:
    """Check this machine, with the remedy for what is wrong.

    With --url the machine of that box. Exits with 0 where all is well, 1 after warnings, 69 after a
    failure.
    """
    engines = [engine_name(name, flag=True) for name in engine] or ["gvisor", "runc"]
    found: list[Check] = []
    async for check in _checks(session, engines):
        found.append(check)
        if not as_json:
            _print(session.console, check.name, check.level, check.detail, check.remedy)
    if as_json:
        session.console.json([asdict(check) for check in found])
    levels = {check.level for check in found}
    if "failure" in levels:
        return _UNUSABLE
    return status.WARNING if "warning" in levels else status.OK


async def _checks(session: Session, engines: Sequence[str]) -> AsyncIterator[Check]:
    """Of this machine without its box, which may be what is wrong."""
    if not session.settings.url:
        from evalbox.service.doctor import diagnose

        async for check in diagnose(session.settings, engines=engines):
            yield check
        return
    async with session.box() as box:
        async for check in box.diagnose(engines):
            yield check


def _print(console: Console, name: str, level: str, detail: str, remedy: str) -> None:
    mark = console.style(f"{level:<8}", _STYLES.get(level, "bold"))
    console.data(f"{mark} {name:<{_NAME_WIDTH}} {inert_line(detail)}")
    if remedy and level != "ok":
        console.data(f"{'':<8} {'':<{_NAME_WIDTH}} remedy: {inert_line(remedy)}")
