"""Jobs that use up time, processes and signals: rows 1, 2 and 10 to 13."""

from __future__ import annotations

import pytest
from aftermath import LIMITS, Aftermath

from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]


#: gVisor's own threads are among those that the host counts.
HOST_PROCESSES = LIMITS.pids + 512

#: What a job's first process is depends on whether something is to be kept.
ARTIFACTS = ((), ("nothing",))


async def test_row_1_runs_for_ever(aftermath: Aftermath) -> None:
    commands: list[str | list[str]] = ["spin.py", ["sleep", "infinity"]]
    specs = [await aftermath.spec(command, timeout=2.0) for command in commands]
    for ordeal in await aftermath.run_together(specs):
        assert ordeal.outcome is Outcome.TIMEOUT, ordeal
        assert ordeal.took >= 2.0


@pytest.mark.parametrize("program", ["forkbomb.py", "forkbomb.sh"])
async def test_row_2_fork_bomb(aftermath: Aftermath, program: str) -> None:
    ordeal = await aftermath.run(program, timeout=3.0, memory=512 * MIB)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
    assert b"Resource temporarily unavailable" in ordeal.stdout + ordeal.stderr
    assert 0 < ordeal.attempt.usage.pids <= HOST_PROCESSES


async def test_row_2_many_fork_bombs(aftermath: Aftermath) -> None:
    """An engine that asks them to let it in, to fetch their artifacts, must not wait for them."""
    artifacts = ("nothing",)
    specs = [
        await aftermath.spec("forkbomb.py", timeout=2.0, memory=512 * MIB, artifacts=artifacts)
        for _ in range(4)
    ]
    for ordeal in await aftermath.run_together(specs):
        assert ordeal.outcome is Outcome.TIMEOUT, ordeal


async def test_row_10_deaf_to_signals(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("deaf.py", timeout=2.0)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
    assert ordeal.stdout == b"deaf\n"
    assert ordeal.took < 3.0


@pytest.mark.parametrize("artifacts", ARTIFACTS)
async def test_row_11_daemon_that_holds_the_output(
    aftermath: Aftermath, artifacts: tuple[str, ...]
) -> None:
    ordeal = await aftermath.run("daemon.py", artifacts=artifacts)
    assert ordeal.outcome is Outcome.OK, ordeal
    assert b"parent is done\n" in ordeal.stdout
    assert ordeal.took < 2.5


async def test_row_12_kills_all_that_it_may(aftermath: Aftermath) -> None:
    specs = [
        await aftermath.spec("massacre.py", how, artifacts=artifacts)
        for how in ("all", "init")
        for artifacts in ARTIFACTS
    ]
    for ordeal in await aftermath.run_together(specs):
        assert ordeal.outcome is Outcome.KILLED, ordeal
        assert ordeal.evaluation.exit_code == 137


async def test_row_12_reboots(aftermath: Aftermath) -> None:
    users = ("1000:1000", "0:0")
    specs = [await aftermath.spec("massacre.py", "reboot", user=user) for user in users]
    for ordeal in await aftermath.run_together(specs):
        assert b"reboot -1 Operation not permitted" in ordeal.stdout, ordeal


@pytest.mark.parametrize("artifacts", ARTIFACTS)
async def test_row_13_ends_like_one_that_was_stopped(
    aftermath: Aftermath, artifacts: tuple[str, ...]
) -> None:
    codes = {"137": 137, "143": 143, "124": 124, "SIGTERM": 143, "SIGKILL": 137}
    specs = [await aftermath.spec("leave.py", way, artifacts=artifacts) for way in codes]
    ordeals = await aftermath.run_together(specs)
    for ordeal, code in zip(ordeals, codes.values(), strict=True):
        expected = Outcome.FAILED if code == 124 else Outcome.KILLED
        assert ordeal.outcome is expected, ordeal
        assert ordeal.evaluation.exit_code == code
        assert len(ordeal.attempts) == 1
        assert ordeal.took < 3.0
