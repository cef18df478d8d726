"""Alerts: raised once, also over a restart, and resolved when it is over for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from recovery_support import settings_in, spec
from test_webhooks import ROUTING_KEY, check_pagerduty, opened
from webhook_support import eventually, receiver

from evalbox.domain.alert import Condition, Finding, Severity
from evalbox.domain.clock import ManualClock
from evalbox.domain.host import HostSample
from evalbox.domain.webhook import Format, Interest, Topic
from evalbox.service.alerts import AUDIT, CALM, DEAD, DISK, HELD, STORE, Alerts, Watched
from evalbox.store.sqlite import open_writer
from evalbox.store.store import DATABASE, Store

HOST = HostSample(
    at=0, cpu=0, cores=(0.0,), memory_total=1, memory_used=0, swap_total=0, swap_used=0,
    disk_total=1 << 40, disk_used=0, disk_free=1 << 39, load=(0, 0, 0), received_rate=0,
    sent_rate=0, uptime=0,
)  # fmt: skip
WELL = Watched({}, "", HOST)
AFTER = 300.0


class Watch:
    """The evaluator over a real store, with what it looks at and the time in hand."""

    def __init__(self, store: Store, clock: ManualClock, directory: Path) -> None:
        self.store = store
        self.clock = clock
        self.seen = WELL
        settings = replace(settings_in(directory), disk_free=1 << 30, alert_after=AFTER)
        self.alerts = Alerts(store, settings, clock, lambda: self.seen)

    async def look(self, seconds: float = 0.0) -> list[str]:
        """After so many seconds; gives the keys that are raised then."""
        self.clock.advance(seconds)
        await self.alerts.look()
        return [alert.key for alert in await self.store.alerts()]

    async def told(self) -> list[tuple[str, str]]:
        return [
            (event.kind, event.data["key"])
            for event in await self.store.events(0)
            if event.kind.startswith("alert.")
        ]


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Watch]:
    clock = ManualClock()
    async with await Store.open(tmp_path / "box", clock=clock) as store:
        made = Watch(store, clock, tmp_path / "box")
        await made.alerts.begin()
        yield made


async def test_an_engine_that_stays_shut(watch: Watch) -> None:
    assert await watch.look() == []
    watch.seen = replace(WELL, shut={"gvisor": "nothing answers"}, holding="holding: gvisor: ...")
    assert await watch.look() == []
    assert await watch.look(AFTER - 1) == []
    assert await watch.look(1) == ["engine:gvisor"]
    (alert,) = await watch.store.alerts()
    assert alert.severity is Severity.CRITICAL
    assert "nothing answers" in alert.text
    assert await watch.look(1000) == ["engine:gvisor"]
    watch.seen = WELL
    assert await watch.look() == ["engine:gvisor"]
    assert await watch.look(CALM) == []
    assert await watch.told() == [
        ("alert.raised", "engine:gvisor"), ("alert.resolved", "engine:gvisor"),
    ]  # fmt: skip


async def test_what_comes_and_goes_is_no_alert_and_no_end_of_one(watch: Watch) -> None:
    held = replace(WELL, holding="holding: memory")
    watch.seen = held
    await watch.look()
    assert await watch.look(AFTER) == [], "nothing is queued"
    await watch.store.submit([spec("true")], watch.clock.now())
    watch.seen = WELL
    await watch.look(1)
    for _ in range(20):
        watch.seen = held
        assert await watch.look(AFTER - 1) == []
        watch.seen = WELL
        assert await watch.look(1) == []
    watch.seen = held
    await watch.look()
    assert await watch.look(AFTER) == [HELD]
    for _ in range(20):
        watch.seen = WELL
        assert await watch.look(CALM - 1) == [HELD]
        watch.seen = held
        assert await watch.look(1) == [HELD]
    assert await watch.told() == [("alert.raised", HELD)]


async def test_slots_that_are_taken_are_no_alert(watch: Watch) -> None:
    watch.seen = replace(WELL, holding="all 4 slots are taken")
    await watch.look()
    assert await watch.look(AFTER * 10) == []


async def test_the_disk_is_well_again_above_where_it_was_low(watch: Watch) -> None:
    for free, expected in (
        ((2 << 30) + 1, []), ((2 << 30) - 1, [DISK]), ((2 << 30) + 1, [DISK]), (5 << 29, [])
    ):  # fmt: skip
        watch.seen = replace(WELL, host=replace(HOST, disk_free=free))
        await watch.look()
        assert await watch.look(CALM) == expected, free


async def test_a_restart_neither_raises_again_nor_forgets(watch: Watch, tmp_path: Path) -> None:
    watch.seen = shut = replace(WELL, shut={"runc": "down"})
    await watch.look()
    await watch.look(AFTER)
    again = Watch(watch.store, watch.clock, tmp_path / "box")
    await again.alerts.begin()
    again.seen = shut
    assert await again.look() == ["engine:runc"]
    assert await again.look(AFTER) == ["engine:runc"]
    again.seen = WELL
    await again.look()
    assert await again.look(CALM) == []
    assert [kind for kind, _ in await watch.told()] == ["alert.raised", "alert.resolved"]


async def test_a_broken_audit_log_is_found_at_the_start(tmp_path: Path) -> None:
    directory = tmp_path / "box"
    async with opened(directory, work=False) as box:
        for name in ("a", "b", "c"):
            await box.keys.create(name, ["read"])  # type: ignore[list-item]
    connection = open_writer(directory / DATABASE)
    connection.execute("DROP TRIGGER audit_is_not_changed")
    connection.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
    connection.close()
    async with receiver() as there, opened(directory, work=False) as box:
        await box.webhooks.create(
            there.url(),
            format=Format.PAGERDUTY,
            secret=ROUTING_KEY,
            interest=Interest(frozenset({Topic.ALERT})),
        )
        await box.close(drain=0)
        async with opened(directory) as working:
            await eventually(lambda: bool(there.received))
            (alert,) = await working.webhooks.alerts()
    assert alert.key == AUDIT
    event = there.received[0].message
    check_pagerduty(event)
    assert event["event_action"] == "trigger"
    assert event["payload"]["severity"] == "critical"
    assert event["dedup_key"].endswith(":alert:audit:chain")


async def test_an_evaluation_that_is_dead(tmp_path: Path) -> None:
    async with receiver() as there, opened(tmp_path / "box") as box:
        await box.webhooks.create(there.url(), interest=Interest(frozenset({Topic.ALERT})))
        (made,) = await box.submit([spec("infra", retry=replace(spec("x").retry, infra_retries=0))])
        await box.wait(made.id)
        await eventually(lambda: there.kinds == ["alert.raised"])
        message = there.received[0].message
        assert message["alert"]["key"] == DEAD
        assert message["evaluation"] is None


async def test_a_store_that_failed_is_told_of_once_it_can_be(watch: Watch) -> None:
    watch.alerts._failing = "no space left"
    assert await watch.look() == [STORE]
    await watch.look()
    assert await watch.look(CALM) == []


def test_a_condition_that_is_raised_already_is_not_raised_again() -> None:
    finding = Finding("x", Severity.INFO, "x")
    condition = Condition(raised=True, calm=10)
    assert condition.look(finding, 0) is None
    assert condition.look(None, 1) is None
    assert condition.look(None, 11) is False
