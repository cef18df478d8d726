"""Jobs whose output is too much, or not what it seems."""

from __future__ import annotations

import pytest
from aftermath import LIMITS, Aftermath

from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]


@pytest.mark.parametrize("kind", ["lines", "line", "empty", "errors"])
async def test_row_5_prints_for_ever(aftermath: Aftermath, kind: str) -> None:
    ordeal = await aftermath.run("chatter.py", kind)
    assert ordeal.outcome is Outcome.OUTPUT_LIMIT, ordeal
    assert len(ordeal.stdout) + len(ordeal.stderr) == LIMITS.output
    assert ordeal.attempt.truncated
    assert ordeal.attempt.output_bytes == LIMITS.output


async def test_row_5_binary(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("binary.py")
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout == bytes(range(256)) * 16 + b"\xff\xfe\xed\xa0\x80\xf0\x9f\x98"
    assert ordeal.stderr == b"\0\xc3"
    assert not ordeal.attempt.truncated
