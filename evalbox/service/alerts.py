"""Looks now and then whether something is wrong with the box, and logs it as an event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from evalbox.config.settings import Settings
from evalbox.domain.alert import Alert, Condition, Finding, Severity
from evalbox.domain.clock import Clock
from evalbox.domain.host import HostSample
from evalbox.domain.quantity import format_size
from evalbox.domain.state import State
from evalbox.errors import StoreError
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Seconds between looks, and for which a condition must be false before its alert is over.
INTERVAL, CALM = 5.0, 30.0
DISK, HELD, DEAD, STORE, AUDIT = "disk:low", "queue:held", "dead-letter", "store", "audit:chain"
#: Those that any box may raise, beside one for each engine.
ALERTS = (DISK, HELD, DEAD, STORE, AUDIT)
#: The disk is low at so many times what the settings keep free, and well again at so many.
_LOW, _WELL = 2.0, 2.5


def engine_alert(name: str) -> str:
    return f"engine:{name}"


@dataclass(frozen=True, slots=True)
class Watched:
    """What is looked at: the engines that are shut, with the reason; what holds the queue; the
    host, None where it has not been measured.
    """

    shut: Mapping[str, str]
    holding: str
    host: HostSample | None


class Alerts:
    """For the process that runs the queue. What is raised stays so over a restart."""

    def __init__(
        self, store: Store, settings: Settings, clock: Clock, watched: Callable[[], Watched]
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._watched = watched
        self._conditions: dict[str, Condition] = {}
        self._audit: Finding | None = None
        self._failing = ""

    async def watch(self) -> None:
        """Never returns."""
        started = False
        while True:
            try:
                if not started:
                    await self.begin()
                    started = True
                await self.look()
            except StoreError as error:
                # To be told as soon as it can be written down.
                self._failing = error.message
                log.error("alerts cannot be kept", error=error.message)
            except Exception:
                log.exception("evalbox itself failed")
            await asyncio.sleep(INTERVAL)

    async def begin(self) -> None:
        """Reads what is raised, and checks the audit log."""
        for alert in await self._store.alerts():
            self._conditions[alert.key] = Condition(raised=True, calm=CALM)
        report = await self._store.verify_audit()
        if not report.sound:
            text = f"the audit log is broken at entry {report.broken_at}: {report.problem}"
            self._audit = Finding(AUDIT, Severity.CRITICAL, text)

    async def look(self) -> None:
        """Raises and resolves what is to be. Raises ``StoreError``."""
        states = await self._store.count_by_state()
        findings = {one.key: one for one in self._findings(states)}
        now = self._clock.monotonic()
        for key in {*findings, *self._conditions}:
            finding = findings.get(key)
            condition = self._conditions.setdefault(key, Condition(raised=False, calm=CALM))
            match condition.look(finding, now):
                case True if finding is not None:
                    await self._raise(finding)
                    condition.raised = True
                case False:
                    log.info("alert resolved", alert=key)
                    await self._store.resolve_alert(key, self._clock.now())
                    condition.raised = False
                case None if finding is None and not condition.raised:
                    del self._conditions[key]
        self._failing = ""

    async def _raise(self, finding: Finding) -> None:
        log.error("alert", alert=finding.key, text=finding.text)
        now = self._clock.now()
        await self._store.raise_alert(Alert(finding.key, finding.severity, finding.text, now))

    def _findings(self, states: Mapping[State, int]) -> Iterator[Finding]:
        watched, after = self._watched(), self._settings.alert_after
        for engine, reason in watched.shut.items():
            text = f"engine {engine} makes no sandboxes: {reason}"
            yield Finding(engine_alert(engine), Severity.CRITICAL, text, after)
        waiting = states.get(State.QUEUED, 0)
        if waiting and watched.holding.startswith("holding") and not watched.shut:
            text = f"none of {waiting} evaluations starts: {watched.holding}"
            yield Finding(HELD, Severity.WARNING, text, after)
        if dead := states.get(State.DEAD, 0):
            text = f"{dead} evaluations are dead: the box failed them as often as it may"
            yield Finding(DEAD, Severity.ERROR, text)
        if watched.host is not None and self._is_low(watched.host.disk_free):
            text = f"only {format_size(watched.host.disk_free)} are free for the data directory"
            yield Finding(DISK, Severity.ERROR, text)
        if self._failing:
            yield Finding(STORE, Severity.CRITICAL, f"the store failed: {self._failing}")
        if self._audit is not None:
            yield self._audit

    def _is_low(self, free: int) -> bool:
        raised = DISK in self._conditions and self._conditions[DISK].raised
        return free < self._settings.disk_free * (_WELL if raised else _LOW)
