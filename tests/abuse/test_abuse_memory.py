"""Jobs that take more memory than they may."""

from __future__ import annotations

import pytest
from aftermath import Aftermath

from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

MEMORY = 96 * MIB


@pytest.mark.parametrize("who", [(), ("child",)], ids=["itself", "child"])
@pytest.mark.parametrize("artifacts", [(), ("nothing",)], ids=["", "artifacts"])
async def test_rows_3_and_4_takes_memory_for_ever(
    aftermath: Aftermath, who: tuple[str, ...], artifacts: tuple[str, ...]
) -> None:
    ordeal = await aftermath.run("hoard.py", *who, memory=MEMORY, artifacts=artifacts)
    assert ordeal.outcome is Outcome.OUT_OF_MEMORY, ordeal
    assert b"the parent ends well" not in ordeal.stdout
    usage = ordeal.attempt.usage
    assert 0.8 * MEMORY < usage.memory_peak <= 1.05 * MEMORY
    assert "96.0 MiB" in ordeal.evaluation.reason
    assert "peak" in ordeal.evaluation.reason


async def test_row_3_asks_for_a_tebibyte(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("giant.py", memory=MEMORY)
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout == b"refused\n"
