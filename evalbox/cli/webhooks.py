"""``evalbox webhooks``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from evalbox.cli import options, render
from evalbox.cli.command import Group, with_session
from evalbox.cli.options import json_option
from evalbox.cli.session import Session
from evalbox.domain.outcome import Outcome
from evalbox.domain.webhook import (
    PAGERDUTY_URL,
    Delivery,
    DeliveryState,
    Format,
    Interest,
    Topic,
    Webhook,
)
from evalbox.requests.values import labels, whole
from evalbox.wire import webhooks

_MOST = 1000
_WIDTH = 60

interest_options = options.apply(
    click.option(
        "--on",
        "topics",
        multiple=True,
        type=click.Choice([topic.value for topic in Topic]),
        help="Tell of evaluations that end, batches that finish, alerts; default all three.",
    ),
    click.option(
        "--outcome",
        "outcomes",
        multiple=True,
        type=click.Choice([outcome.value for outcome in Outcome]),
        help="Only of evaluations that end so.",
    ),
    click.option("--batch", metavar="NAME", help="Only of this batch and its evaluations."),
    click.option("--label", metavar="K=V", multiple=True, help="Only of evaluations with it."),
)


@click.group("webhooks", cls=Group, default="ls")
def webhooks_command() -> None:
    """Tell other programs what happens: create, test and watch webhooks."""


@webhooks_command.command("create")
@click.argument("receiver", metavar="[URL]", required=False)
@click.option(
    "--format",
    "kind",
    type=click.Choice([kind.value for kind in Format]),
    default=Format.EVALBOX.value,
    help="evalbox (default), or PagerDuty's Events API v2.",
)
@interest_options
@click.option(
    "--secret-stdin", is_flag=True, help="Read the secret, or routing key, from standard input."
)
@json_option
@with_session
async def webhooks_create(
    session: Session,
    *,
    receiver: str | None,
    kind: str,
    secret_stdin: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Make a webhook. Its secret goes to standard output, this once."""
    if receiver is None and kind != Format.PAGERDUTY:
        raise click.UsageError("give the URL of the receiver")
    secret = sys.stdin.readline(4096).strip() if secret_stdin else ""
    async with session.box() as box:
        webhook, made = await box.webhooks.create(
            receiver or PAGERDUTY_URL,
            format=Format(kind),
            interest=_changed(Interest(), **given),
            secret=secret,
        )
    if as_json:
        session.console.json(webhooks.new_webhook(webhook, made))
        return
    if not secret:
        session.console.data(made)
    session.console.note(f"webhook {webhook.id}: keep its secret now, it is not told again")


@webhooks_command.command("ls")
@json_option
@with_session
async def webhooks_ls(session: Session, as_json: bool) -> None:
    """List webhooks, without their secrets."""
    async with session.box() as box:
        found = await box.webhooks.list()
    console = session.console
    if as_json:
        console.json([webhooks.webhook(item) for item in found])
    elif found:
        header = ["ID", "STATE", "FORMAT", "TELLS", "AGE", "URL"]
        now = time.time()
        console.data(render.table(console, header, [_row(item, now) for item in found]))
    else:
        console.note("there are no webhooks; make one with: evalbox webhooks create URL")


@webhooks_command.command("change")
@click.argument("webhook_id", metavar="ID")
@click.option("--to", "receiver", metavar="URL", help="Send to this address from now on.")
@interest_options
@click.option("--enable", is_flag=True, help="Turn it on.")
@click.option("--disable", is_flag=True, help="Turn it off.")
@json_option
@with_session
async def webhooks_change(
    session: Session,
    *,
    webhook_id: str,
    receiver: str | None,
    enable: bool,
    disable: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Change where a webhook sends to and what it tells, or turn it on or off."""
    if enable and disable:
        raise click.UsageError("give --enable or --disable, not both")
    async with session.box() as box:
        interest = None
        if any(value for value in given.values()):
            interest = _changed((await box.webhooks.get(webhook_id)).interest, **given)
        webhook = await box.webhooks.change(
            webhook_id,
            url=receiver,
            interest=interest,
            active=enable if enable or disable else None,
        )
    if as_json:
        session.console.json(webhooks.webhook(webhook))
    else:
        session.console.note(f"webhook {webhook.id} is {_standing(webhook)}")


@webhooks_command.command("rm")
@click.argument("webhook_id", metavar="ID")
@json_option
@with_session
async def webhooks_rm(session: Session, webhook_id: str, as_json: bool) -> None:
    """Remove a webhook, with what it was still to be told."""
    async with session.box() as box:
        await box.webhooks.remove(webhook_id)
    if as_json:
        session.console.json({"removed": webhook_id})
    else:
        session.console.note(f"removed webhook {webhook_id}")


@webhooks_command.command("test")
@click.argument("webhook_id", metavar="ID")
@json_option
@with_session
async def webhooks_test(session: Session, webhook_id: str, as_json: bool) -> None:
    """Send a sample to a webhook; `webhooks deliveries` tells how that went."""
    async with session.box() as box:
        delivery = await box.webhooks.test(webhook_id)
        working = (await box.queue()).working
    _tell(session, delivery, working=working, as_json=as_json)


@webhooks_command.command("deliveries")
@click.argument("webhook_id", metavar="ID")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in DeliveryState]),
    help="Only those that stand so.",
)
@click.option("-n", "--limit", metavar="N", default="30", help="At most so many; default 30.")
@json_option
@with_session
async def webhooks_deliveries(
    session: Session, *, webhook_id: str, states: Sequence[str], limit: str, as_json: bool
) -> None:
    """List what a webhook was told and is to be told, the newest first."""
    most = whole(limit, field="limit", low=1, high=_MOST)
    async with session.box() as box:
        found = await box.webhooks.deliveries(
            webhook_id, states=[DeliveryState(state) for state in states], limit=most
        )
    console = session.console
    if as_json:
        console.json([webhooks.delivery(item) for item in found])
        return
    header = ["ID", "STATE", "TRIES", "KIND", "AGE", "NEXT", "ANSWER"]
    now = time.time()
    console.data(render.table(console, header, [_delivery_row(item, now) for item in found]))


@webhooks_command.command("redeliver")
@click.argument("webhook_id", metavar="ID")
@click.argument("delivery_id", metavar="DELIVERY")
@json_option
@with_session
async def webhooks_redeliver(
    session: Session, webhook_id: str, delivery_id: str, as_json: bool
) -> None:
    """Send a message once more, whatever became of it."""
    async with session.box() as box:
        delivery = await box.webhooks.redeliver(webhook_id, delivery_id)
        working = (await box.queue()).working
    _tell(session, delivery, working=working, as_json=as_json)


@webhooks_command.command("alerts")
@json_option
@with_session
async def webhooks_alerts(session: Session, as_json: bool) -> None:
    """List what is wrong with the box now."""
    async with session.box() as box:
        found = await box.webhooks.alerts()
    console = session.console
    if as_json:
        console.json([webhooks.alert(item) for item in found])
        return
    now = time.time()
    rows = [
        [item.severity, item.key, render.age(item.raised_at, now), render.cell(item.text)]
        for item in found
    ]
    if rows:
        console.data(render.table(console, ["SEVERITY", "KEY", "AGE", "ALERT"], rows))
    else:
        console.note("no alert is raised")


def _changed(
    old: Interest,
    *,
    topics: Sequence[str],
    outcomes: Sequence[str],
    batch: str | None,
    label: Sequence[str],
) -> Interest:
    """``old`` with what was given in place of what it has."""
    new = old
    if topics:
        new = replace(new, topics=frozenset(Topic(topic) for topic in topics))
    if outcomes:
        new = replace(new, outcomes=frozenset(Outcome(outcome) for outcome in outcomes))
    if batch is not None:
        new = replace(new, batch=batch or None)
    if label:
        new = replace(new, labels=labels(label))
    return new


def _tell(session: Session, delivery: Delivery, *, working: bool, as_json: bool) -> None:
    if as_json:
        session.console.json(webhooks.delivery(delivery))
        return
    session.console.note(f"delivery {delivery.id} is in line")
    if not working:
        session.console.note("it is sent once a process runs the queue, as: evalbox --serve")


def _standing(webhook: Webhook) -> str:
    return "on" if webhook.active else "off"


def _row(webhook: Webhook, now: float) -> list[str]:
    return [
        webhook.id,
        _standing(webhook),
        webhook.format,
        ",".join(topic for topic in Topic if topic in webhook.interest.topics),
        render.age(webhook.created_at, now),
        render.cell(webhook.url[:_WIDTH]),
    ]


def _delivery_row(delivery: Delivery, now: float) -> list[str]:
    answer = delivery.error or (str(delivery.status) if delivery.status else "-")
    return [
        delivery.id,
        delivery.state,
        str(delivery.attempts),
        delivery.kind,
        render.age(delivery.created_at, now),
        "-" if delivery.next_try is None else f"in {render.age(now, delivery.next_try)}",
        render.cell(answer[:_WIDTH]),
    ]
