"""A process that is killed (SIGKILL) while it reduces a batch: the step is run once, with all."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from recovery_support import ended, opened, output, settings_in, spec, until

from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.reduction import REDUCES, BatchPlan, ReductionState
from evalbox.engines.fake import FakeEngine
from evalbox.service import conductor, gathering
from evalbox.store import reductions
from evalbox.store.store import Store

COUNT = 4
STEP = spec(
    "cat", "/in/results.json", *(word for number in range(1, COUNT + 1)
                                 for word in (";", "cat", f"/in/{number:05d}/stdout"))
)  # fmt: skip


def _dies(owner: Any, name: str, *, at: int = 1, after: bool = False) -> None:
    """Has the process killed at a call, before or after what the call does."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def doomed(*given: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)

    async def dead(*given: Any, **named: Any) -> None:
        await real(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, dead if after else doomed)


#: By what had been done when the process was killed.
MOMENTS: dict[str, Callable[[], None]] = {
    "the last had ended": lambda: _dies(conductor, "gather"),
    "some of the files were stored": lambda: _dies(gathering._Gathering, "add", at=3),
    "all of the files were stored": lambda: _dies(Store, "make_reduction"),
    "the step was written, and not committed": lambda: _dies(reductions, "_settle"),
    "the step was queued": lambda: _dies(Store, "make_reduction", after=True),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed_while_it_reduces_the_next_process_goes_on(
    tmp_path: Path, moment: str
) -> None:
    victim = await asyncio.to_thread(_killed, tmp_path, moment)
    assert victim.returncode == -signal.SIGKILL, victim
    for _ in range(2):
        async with opened(settings_in(tmp_path), FakeEngine()) as box:

            async def made() -> bool:
                found = (await box.batch("b")).reduction
                return found is not None and found.state is ReductionState.MADE

            await until(made, within=60)
            (step,) = await box.list(EvaluationFilter(labels={REDUCES: "b"}))
            assert (await ended(box, step.id, within=60)).outcome is Outcome.OK
            kinds = [event.kind async for event in box.events()]
            assert kinds.count("batch.reduced") == 1
            told = (await output(box, step.id)).decode()
            results, end = json.JSONDecoder().raw_decode(told)
            assert [one["outcome"] for one in results] == ["ok"] * COUNT
            assert told[end:].split() == [f"said-{number}" for number in range(COUNT)]


def _killed(directory: Path, moment: str) -> subprocess.CompletedProcess[bytes]:
    words = [sys.executable, __file__, str(directory), moment]
    return subprocess.run(words, capture_output=True, timeout=120, check=False)


async def _reduce(directory: Path, moment: str) -> None:
    MOMENTS[moment]()
    async with opened(settings_in(directory), FakeEngine()) as box:
        await box.submit([spec("echo", f"said-{number}", batch="b") for number in range(COUNT)])
        await box.plan_batch("b", BatchPlan(reduce=STEP))
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(_reduce(Path(sys.argv[1]), sys.argv[2]))
