"""Jobs that use up time, processes and signals: rows 1, 2 and 10 to 13."""

from __future__ import annotations

import pytest
from aftermath import LIMITS, Aftermath

from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]


#: gVisor's own threads are among those that the host counts.
HOST_PROCESSES = LIMITS.pids + 512


@pytest.mark.parametrize("command", ["spin.py", ["sleep", "infinity"]])
async def test_row_1_runs_for_ever(aftermath: Aftermath, command: str | list[str]) -> None:
    ordeal = await aftermath.run(command, timeout=2.0)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
    assert ordeal.took >= 2.0


@pytest.mark.parametrize("program", ["forkbomb.py", "forkbomb.sh"])
async def test_row_2_fork_bomb(aftermath: Aftermath, program: str) -> None:
    ordeal = await aftermath.run(program, timeout=3.0, memory=512 * MIB)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
    assert b"Resource temporarily unavailable" in ordeal.stdout + ordeal.stderr
    assert 0 < ordeal.attempt.usage.pids <= HOST_PROCESSES


async def test_row_10_deaf_to_signals(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("deaf.py", timeout=2.0)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
    assert ordeal.stdout == b"deaf\n"
    assert ordeal.took < 3.0


@pytest.mark.parametrize("artifacts", [(), ("nothing",)])
async def test_row_11_daemon_that_holds_the_output(
    aftermath: Aftermath, artifacts: tuple[str, ...]
) -> None:
    ordeal = await aftermath.run("daemon.py", artifacts=artifacts)
    assert ordeal.outcome is Outcome.OK, ordeal
    assert b"parent is done\n" in ordeal.stdout
    assert ordeal.took < 2.5


@pytest.mark.parametrize("artifacts", [(), ("nothing",)])
@pytest.mark.parametrize("how", ["all", "init"])
async def test_row_12_kills_all_that_it_may(
    aftermath: Aftermath, how: str, artifacts: tuple[str, ...]
) -> None:
    ordeal = await aftermath.run("massacre.py", how, artifacts=artifacts)
    assert ordeal.outcome is Outcome.KILLED, ordeal
    assert ordeal.attempt.verdict is not None
    assert ordeal.attempt.verdict.exit_code == 137


@pytest.mark.parametrize("user", ["1000:1000", "0:0"])
async def test_row_12_reboots(aftermath: Aftermath, user: str) -> None:
    ordeal = await aftermath.run("massacre.py", "reboot", user=user)
    assert b"reboot -1 Operation not permitted" in ordeal.stdout, ordeal


@pytest.mark.parametrize("artifacts", [(), ("nothing",)])
@pytest.mark.parametrize(
    ("way", "code"), [("137", 137), ("143", 143), ("124", 124), ("SIGTERM", 143), ("SIGKILL", 137)]
)
async def test_row_13_ends_like_one_that_was_stopped(
    aftermath: Aftermath, way: str, code: int, artifacts: tuple[str, ...]
) -> None:
    ordeal = await aftermath.run("leave.py", way, artifacts=artifacts)
    expected = Outcome.FAILED if code == 124 else Outcome.KILLED
    assert ordeal.outcome is expected, ordeal
    assert ordeal.evaluation.exit_code == code
    assert len(ordeal.attempts) == 1
    assert ordeal.took < 2.5
