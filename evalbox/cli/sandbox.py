"""``evalbox sandbox``: sandboxes that are kept, to run programs in and copy files to and from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import click

from evalbox.cli import render
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.sandbox_copy import sandbox_cp
from evalbox.cli.sandbox_exec import sandbox_exec, sandbox_shell
from evalbox.cli.session import Session
from evalbox.domain.engine import engine_name
from evalbox.domain.evaluation import Network
from evalbox.domain.inert import inert_line
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import format_size, parse_duration, parse_size
from evalbox.domain.sandbox import (
    DEFAULT_LIFETIME,
    MAX_LIFETIME,
    MIN_LIFETIME,
    BoxSandbox,
    SandboxFilter,
    SandboxSpec,
    SandboxState,
    check_seconds,
)
from evalbox.requests.environment import environment
from evalbox.requests.values import labels, number, plain_text, whole
from evalbox.service.box import Box
from evalbox.wire import sandboxes as wire

_PAGE = 1000
_STYLES = {SandboxState.RUNNING: "green", SandboxState.STARTING: "blue", SandboxState.ENDED: "grey"}


@click.group("sandbox", cls=Group, default="ls")
def sandbox_command() -> None:
    """Keep sandboxes to run programs in and copy files to and from."""


sandbox_command.add_command(sandbox_exec)
sandbox_command.add_command(sandbox_shell)
sandbox_command.add_command(sandbox_cp)


@sandbox_command.command("create")
@click.option("--name", help="What to call it, in place of its id.")
@click.option("--image", help="What it is made of (default: the setting).")
@click.option("--engine", help="gvisor (default), runc, process (unconfined!) or fake.")
@click.option("--user", help="UID:GID, or a user of the image.  [default: 1000:1000]")
@click.option("--workdir", metavar="PATH", help="Where programs start.  [default: /home/agent]")
@click.option(
    "--network",
    type=click.Choice(["none", "internet"]),
    default="none",
    show_default=True,
    help="What it can reach.",
)
@click.option("--cpus", metavar="N", help="Cores; fractions are fine.  [default: 1]")
@click.option("--memory", metavar="SIZE", help="[default: 512m]")
@click.option("--disk", metavar="SIZE", help="What it may hold.  [default: 1g]")
@click.option("--pids", metavar="N", help="Processes and threads at once.  [default: 256]")
@click.option("--env", "-e", multiple=True, metavar="K[=V]", help="A variable of all programs.")
@click.option("--env-file", multiple=True, metavar="FILE", help="Lines of K=V.")
@click.option("--label", "-l", multiple=True, metavar="K=V", help="For finding it again.")
@click.option("--for", "lifetime", metavar="TIME", help="How long it lives.  [default: 1h]")
@click.option("--idle", metavar="TIME", help="Remove it when it is not used for so long.")
@json_option
@with_session
async def sandbox_create(session: Session, *, as_json: bool, **given: Any) -> None:
    """Start a sandbox that stays until its time is up; print its id."""
    spec = _spec(given)
    if spec.engine == "process":
        session.console.warn(
            "--engine process confines nothing: programs run as you, on this machine"
        )
    async with session.box(work=True) as box:
        made = await box.sandboxes.create(spec)
        await _warn_unwatched(session, box)
    if as_json:
        session.console.json(wire.sandbox(made))
    else:
        session.console.data(made.short_id)


@sandbox_command.command("ls")
@click.option("--all", "-a", "ended", is_flag=True, help="Those that have ended, too.")
@click.option("--label", "-l", multiple=True, metavar="K=V", help="Only these; all must match.")
@json_option
@with_session
async def sandbox_ls(session: Session, *, ended: bool, label: Sequence[str], as_json: bool) -> None:
    """List sandboxes, the newest first."""
    query = SandboxFilter(labels=labels(label), ended=ended)
    async with session.box() as box:
        found = list(await box.sandboxes.list(query, limit=_PAGE))
    console = session.console
    if as_json:
        console.json([wire.sandbox(one) for one in found])
    elif found:
        header = ["ID", "NAME", "STATE", "ENGINE", "IMAGE", "AGE", "ENDS"]
        rows = [_row(session, one, time.time()) for one in found]
        console.data(render.table(console, header, rows))
    else:
        console.note("there are no sandboxes; start one with: evalbox sandbox create")


@sandbox_command.command("show")
@click.argument("reference", metavar="SANDBOX")
@json_option
@with_session
async def sandbox_show(session: Session, reference: str, as_json: bool) -> None:
    """Print all that is known of a sandbox."""
    async with session.box() as box:
        document = wire.sandbox(await box.sandboxes.get(reference))
    if as_json:
        session.console.json(document)
        return
    for name, value in document.items():
        if value not in (None, "", [], {}):
            session.console.data(f"{name:13} {inert_line(_shown(value))}")


@sandbox_command.command("files")
@click.argument("reference", metavar="SANDBOX")
@click.argument("path", metavar="[PATH]", required=False)
@click.option("--user", help="Whose rights count.  [default: the sandbox's]")
@json_option
@with_session
async def sandbox_files(
    session: Session, *, reference: str, path: str | None, user: str | None, as_json: bool
) -> None:
    """List what a directory of a sandbox holds."""
    async with session.box(work=True) as box:
        place = path or (await box.sandboxes.get(reference)).spec.workdir
        found = await box.sandboxes.entries(reference, place, user=user)
    console = session.console
    if as_json:
        console.json([wire.entry(one) for one in found])
    elif found:
        rows = [
            [
                f"{one.mode:04o}",
                one.kind,
                format_size(one.size),
                render.age(one.modified, time.time()),
                inert_line(wire.entry(one)["name"]),
            ]
            for one in found
        ]
        console.data(render.table(console, ["MODE", "KIND", "SIZE", "AGE", "NAME"], rows))


@sandbox_command.command("keep")
@click.argument("reference", metavar="SANDBOX")
@click.option("--for", "lifetime", metavar="TIME", help="Let it live so long from now.")
@json_option
@with_session
async def sandbox_keep(
    session: Session, *, reference: str, lifetime: str | None, as_json: bool
) -> None:
    """Say that a sandbox is still needed, or set a new end."""
    seconds = None if lifetime is None else parse_duration(lifetime, field="--for")
    if seconds is not None:
        check_seconds(seconds, MIN_LIFETIME, MAX_LIFETIME, "--for")
    async with session.box(work=True) as box:
        kept = await box.sandboxes.keep(reference, seconds)
    if as_json:
        session.console.json(wire.sandbox(kept))
    else:
        left = render.age(time.time(), kept.expires_at())
        session.console.note(f"sandbox {kept.short_id} is kept for {left}")


@sandbox_command.command("rm")
@click.argument("references", metavar="SANDBOX...", nargs=-1, required=True)
@json_option
@with_session
async def sandbox_rm(session: Session, references: Sequence[str], as_json: bool) -> None:
    """Kill all that runs in sandboxes, and remove them."""
    removed = []
    async with session.box(work=True) as box:
        # A mistake in the last must not be found after the first is gone; one may be named twice.
        named: dict[str, str] = {}
        for reference in references:
            named.setdefault((await box.sandboxes.get(reference)).id, reference)
        for identifier, reference in named.items():
            await box.sandboxes.remove(identifier)
            removed.append(await box.sandboxes.get(identifier))
            session.console.note(f"removed {inert_line(reference)}")
    if as_json:
        session.console.json([wire.sandbox(one) for one in removed])


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _spec(given: dict[str, Any]) -> SandboxSpec:
    sizes = {key: given[key] for key in ("memory", "disk") if given[key] is not None}
    limits: dict[str, Any] = {
        key: parse_size(text, field=f"--{key}") for key, text in sizes.items()
    }
    if given["cpus"] is not None:
        limits["cpus"] = number(given["cpus"], field="cpus")
    if given["pids"] is not None:
        limits["pids"] = whole(given["pids"], field="pids", low=8, high=1_000_000)
    defaults = SandboxSpec()
    idle = given["idle"]
    spec = SandboxSpec(
        name=plain_text(given["name"], field="name") if given["name"] is not None else "",
        engine=engine_name(given["engine"], flag=True) if given["engine"] is not None else "",
        image=given["image"] or "",
        user=given["user"] or defaults.user,
        workdir=given["workdir"] or defaults.workdir,
        network=Network(given["network"]),
        limits=Limits(**limits),
        env=environment(given["env"], given["env_file"]),
        labels=labels(given["label"]),
        lifetime=parse_duration(given["lifetime"], field="--for")
        if given["lifetime"] is not None
        else DEFAULT_LIFETIME,
        idle_timeout=None if idle is None else parse_duration(idle, field="--idle"),
    )
    spec.check()
    return spec


async def _warn_unwatched(session: Session, box: Box) -> None:
    if (await box.queue()).here:
        session.console.note(
            "no service runs: the end of a sandbox is seen to by whichever evalbox runs next"
            " (evalbox --serve stays)"
        )


def _row(session: Session, one: BoxSandbox, now: float) -> list[str]:
    if one.state is SandboxState.ENDED:
        ends = f"{one.end}: {inert_line(one.reason)}" if one.reason else str(one.end)
    else:
        ends = f"in {render.age(now, one.expires_at())}"
    return [
        one.short_id,
        render.cell(one.spec.name) or "-",
        session.console.style(str(one.state), _STYLES[one.state]),
        one.spec.engine,
        render.cell(one.spec.image),
        render.age(one.created_at, now),
        render.cell(ends),
    ]
