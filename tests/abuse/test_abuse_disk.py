"""Jobs that fill the disk, or leave something for the next: rows 7 and 8."""

from __future__ import annotations

from pathlib import Path

import pytest
import traces
from aftermath import LIMITS, Aftermath, settings

from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome
from evalbox.service.local import LocalBox

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

#: What may have been written by the time that somebody looks.
OVERSHOOT = 4096 * MIB


@pytest.mark.parametrize("pause", [0.0, 0.6])
async def test_row_7_one_file(aftermath: Aftermath, pause: float) -> None:
    """It is stopped at the quota; that this was why it failed is known if somebody could look."""
    ordeal = await aftermath.run("fill.py", "one", str(pause))
    assert b"File too large after 32 MiB" in ordeal.stdout, ordeal
    expected = {Outcome.DISK_LIMIT} if pause else {Outcome.DISK_LIMIT, Outcome.FAILED}
    assert ordeal.outcome in expected, ordeal


@pytest.mark.parametrize("way", ["many", "hidden"])
async def test_row_7_more_files_than_may_be(aftermath: Aftermath, way: str) -> None:
    """That their space is given back is seen by the layer and its processes being gone."""
    ordeal = await aftermath.run("fill.py", way)
    assert ordeal.outcome is Outcome.DISK_LIMIT, ordeal
    assert LIMITS.disk < ordeal.attempt.usage.disk < LIMITS.disk + OVERSHOOT
    assert "32.0 MiB of disk" in ordeal.evaluation.reason


async def test_row_7_files_in_memory(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("fill.py", "memory")
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout.count(b"No space left on device") == 2, ordeal


async def test_row_7_sparse_file(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("fill.py", "sparse")
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout == b"File too large\n"


async def test_row_7_ten_million_files(aftermath: Aftermath) -> None:
    """Names are kept in the memory of the sandbox's own kernel."""
    ordeal = await aftermath.run("fill.py", "crowd")
    assert ordeal.outcome in (Outcome.OUT_OF_MEMORY, Outcome.TIMEOUT), ordeal


async def test_row_7_what_is_deleted_does_not_count(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("fill.py", "churn")
    assert ordeal.outcome is Outcome.OK, ordeal


@pytest.mark.parametrize("warm", [0, 2])
@pytest.mark.parametrize("user", ["1000:1000", "0:0"])
async def test_row_8_leaves_markers(
    aftermath: Aftermath, tmp_path: Path, warm: int, user: str
) -> None:
    box = await LocalBox.open(settings(tmp_path / "box"), work=True, warm=warm)
    try:
        inner = Aftermath(box, box._store.box_id, tmp_path / "box")
        for _ in range(3):
            spec = await inner.spec("marker.py", user=user)
            (evaluation,) = await box.submit([spec])
            ended = await box.wait(evaluation.id)
            ordeal = await inner.ordeal(ended.id)
            assert ordeal.outcome is Outcome.OK, ordeal
            assert b"found" not in ordeal.stdout
            assert ordeal.stdout.count(b"left") >= 3
            assert ordeal.stdout.endswith(b"others []\n")
            await inner.tidy(
                [traces.Sandbox.seen(ordeal.attempt.sandbox_id or "")], since=ended.finished_at
            )
    finally:
        await box.close(drain=5)
    assert not traces.containers(box._store.box_id)
