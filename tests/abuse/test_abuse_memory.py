"""Jobs that take more memory than they may: rows 3 and 4."""

from __future__ import annotations

import pytest
from aftermath import Aftermath

from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

MEMORY = 96 * MIB


@pytest.mark.parametrize("who", [(), ("child",)], ids=["itself", "child"])
@pytest.mark.parametrize("artifacts", [(), ("nothing",)], ids=["bare", "artifacts"])
async def test_rows_3_and_4_takes_memory_for_ever(
    aftermath: Aftermath, who: tuple[str, ...], artifacts: tuple[str, ...]
) -> None:
    ordeal = await aftermath.run("hoard.py", *who, memory=MEMORY, artifacts=artifacts)
    assert ordeal.outcome is Outcome.OUT_OF_MEMORY, ordeal
    assert 0.8 * MEMORY < ordeal.attempt.usage.memory_peak <= 1.05 * MEMORY
    assert "96.0 MiB of memory (peak 9" in ordeal.evaluation.reason


async def test_row_3_asks_for_a_tebibyte(aftermath: Aftermath) -> None:
    """gVisor grants addresses without counting them; what cannot be had shows when it is used."""
    ordeal = await aftermath.run("giant.py", str(1 << 40), memory=MEMORY)
    assert ordeal.outcome is Outcome.OUT_OF_MEMORY, ordeal
    assert ordeal.attempt.usage.memory_peak > 0.8 * MEMORY
    assert b"granted" not in ordeal.stdout


async def test_row_3_asks_for_more_than_there_are_addresses(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("giant.py", str(1 << 48), memory=MEMORY)
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout == b"refused\n"
