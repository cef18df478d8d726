"""The scheduler's rules: verdicts, admission, and how much is made at a time."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.config.settings import Settings
from evalbox.domain.attempt import Usage
from evalbox.domain.limits import GIB, MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.engines.base import Engine, Exit
from evalbox.engines.fake import FakeEngine
from evalbox.scheduler.admission import HostState, admit
from evalbox.scheduler.gate import Gate
from evalbox.scheduler.verdict import decide, signal_name

LIMITS = Limits(disk=100 * MIB)
HOST = HostState(cores=4, memory_total=16 * GIB, memory_percent=20, disk_free=50 * GIB, load=0.5)


@pytest.mark.parametrize(
    ("ended", "outcome"),
    [
        (Exit(0), Outcome.OK),
        (Exit(1), Outcome.FAILED),
        (Exit(127), Outcome.FAILED),
        (Exit(255), Outcome.FAILED),
        (Exit(137), Outcome.KILLED),
        (Exit(143), Outcome.KILLED),
        (Exit(139), Outcome.KILLED),
        (Exit(145), Outcome.FAILED),
        (Exit(137, oom_killed=True), Outcome.OUT_OF_MEMORY),
        (Exit(0, oom_killed=True), Outcome.OUT_OF_MEMORY),
        (Exit(1, oom_killed=True), Outcome.OUT_OF_MEMORY),
        (Exit(137, signal=9), Outcome.KILLED),
        (Exit(None, error="it broke"), Outcome.INFRA_ERROR),
        (Exit(128, error="runc failed"), Outcome.INFRA_ERROR),
        (None, Outcome.INFRA_ERROR),
    ],
)
def test_verdicts(ended: Exit | None, outcome: Outcome) -> None:
    verdict = decide(None, ended, LIMITS, Usage())
    assert verdict.outcome is outcome
    assert bool(verdict.reason) is (outcome is not Outcome.OK)


def test_a_full_disk_is_not_the_programs_failure() -> None:
    full = Usage(disk=99 * MIB)
    assert decide(None, Exit(1), LIMITS, full).outcome is Outcome.DISK_LIMIT
    assert decide(None, Exit(0), LIMITS, full).outcome is Outcome.OK


@given(
    st.sampled_from([Outcome.TIMEOUT, Outcome.OUTPUT_LIMIT, Outcome.DISK_LIMIT, Outcome.CANCELLED]),
    st.none() | st.builds(Exit, st.integers(0, 255), oom_killed=st.booleans()),
)
def test_what_we_stopped_is_said_to_be_stopped(cause: Outcome, ended: Exit | None) -> None:
    verdict = decide(cause, ended, LIMITS, Usage())
    assert verdict.outcome is cause
    assert verdict.reason


@given(st.builds(Exit, st.integers(0, 255), oom_killed=st.booleans()))
def test_no_exit_is_ever_a_timeout_or_an_infra_error(ended: Exit) -> None:
    outcome = decide(None, ended, LIMITS, Usage()).outcome
    assert outcome not in (Outcome.TIMEOUT, Outcome.CANCELLED, Outcome.INFRA_ERROR)
    assert (outcome is Outcome.OUT_OF_MEMORY) is ended.oom_killed


def test_signal_names() -> None:
    assert signal_name(9) == "SIGKILL"
    assert signal_name(17) == ""
    assert signal_name(-1) == signal_name(0) == signal_name(120) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"memory_percent": 95}, "memory 95 % > 92 %"),
        ({"disk_free": 1000}, "disk"),
        ({"load": 400.0}, "load"),
    ],
)
def test_pressure_is_said_in_words(change: dict[str, float], words: str) -> None:
    budget = admit(replace(HOST, **change), [], 4, Settings())  # type: ignore[arg-type]
    assert budget.slots == 0
    assert words in budget.holding


def test_an_empty_pool_admits_what_is_larger_than_the_host() -> None:
    assert admit(HOST, [], 4, Settings()).cpus == math.inf


@given(st.lists(st.builds(Limits, cpus=st.floats(0.1, 64)), max_size=12), st.integers(1, 8))
def test_promises_stay_within_the_overcommit(running: list[Limits], slots: int) -> None:
    settings = Settings()
    budget = admit(HOST, running, slots, settings)
    assert 0 <= budget.slots <= max(0, slots - len(running))
    if running and budget.slots:
        promised = sum(limits.cpus for limits in running)
        assert budget.cpus <= max(0.0, HOST.cores * settings.cpu_overcommit - promised)


async def test_no_more_sandboxes_are_made_at_a_time_than_fit() -> None:
    async def tidy(_: Engine) -> None:
        return

    gate = Gate(FakeEngine(), tidy=tidy, on_change=lambda _: None, at_once=3)
    now, most = 0, 0

    async def make() -> None:
        nonlocal now, most
        async with gate.creation():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(make())
    assert most == 3
    await gate.close()
