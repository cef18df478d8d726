"""``evalbox keys``."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from evalbox.cli import render
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.access import ApiKey, Scope
from evalbox.domain.moments import parse_until
from evalbox.requests.values import plain_text
from evalbox.wire import access


@click.group("keys", cls=Group, default="ls")
def keys_command() -> None:
    """Create, list and revoke the keys of the API."""


@keys_command.command("create")
@click.argument("name", metavar="NAME")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    default=[Scope.SUBMIT.value],
    help="read, submit (default) or admin; each includes the ones before it.",
)
@click.option("--expires", metavar="TIME", help="When, or how long from now, as in 90d.")
@click.option("--signing", is_flag=True, help="Requests are signed, the token is never sent.")
@json_option
@with_session
async def keys_create(
    session: Session,
    *,
    name: str,
    scopes: Sequence[str],
    expires: str | None,
    signing: bool,
    as_json: bool,
) -> None:
    """Make a key. Its token goes to standard output, this once."""
    plain_text(name, field="name")
    end = None if expires is None else parse_until(expires, now=time.time(), field="expires")
    async with session.box() as box:
        key, token = await box.keys.create(
            name, [Scope(scope) for scope in scopes], expires_at=end, signing=signing
        )
    if as_json:
        session.console.json(access.new_key(key, token))
        return
    session.console.data(token)
    session.console.note(f"key {key.id}: keep the token now, it is not told again")


@keys_command.command("ls")
@json_option
@with_session
async def keys_ls(session: Session, as_json: bool) -> None:
    """List keys, without their tokens."""
    async with session.box() as box:
        found = await box.keys.list()
    console = session.console
    if as_json:
        console.json([access.key(key) for key in found])
    elif found:
        header = ["ID", "NAME", "SCOPES", "STATE", "AGE", "EXPIRES", "USED", "SIGNING"]
        console.data(render.table(console, header, [_row(key, time.time()) for key in found]))
    else:
        console.note("there are no keys; make one with: evalbox keys create NAME")


@keys_command.command("revoke")
@click.argument("reference", metavar="KEY")
@json_option
@with_session
async def keys_revoke(session: Session, reference: str, as_json: bool) -> None:
    """Revoke a key, by id or name. Requests with it are refused from now on."""
    async with session.box() as box:
        key = await box.keys.revoke(reference)
    if as_json:
        session.console.json(access.key(key))
    else:
        session.console.note(f"revoked {key.id} ({key.name})")


def _row(key: ApiKey, now: float) -> list[str]:
    return [
        key.id,
        render.cell(key.name),
        ",".join(scope for scope in Scope if scope in key.scopes),
        key.standing(now),
        render.age(key.created_at, now),
        "-" if key.expires_at is None else f"in {render.age(now, key.expires_at)}",
        "-" if key.last_used_at is None else render.age(key.last_used_at, now),
        "yes" if key.signing else "-",
    ]
