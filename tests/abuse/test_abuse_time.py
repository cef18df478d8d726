"""Jobs that use up time, processes and signals."""

from __future__ import annotations

import pytest
from aftermath import Aftermath

from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]


async def test_spins_for_ever(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("spin.py", timeout=2.0)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
    assert ordeal.took >= 2.0


async def test_sleeps_for_ever(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run(["sleep", "infinity"], timeout=2.0)
    assert ordeal.outcome is Outcome.TIMEOUT, ordeal
