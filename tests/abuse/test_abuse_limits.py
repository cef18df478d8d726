"""Limits that cannot be: row 16."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import pytest
from aftermath import PROGRAMS, Aftermath
from terminal import REFUSED, through_pipes

from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.errors import InvalidInput

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

NAMES = [item.name for item in fields(Limits)]
FLAGS = {
    "--cpus": "cpus", "--memory": "memory", "--timeout": "timeout", "--disk": "disk",
    "--pids": "pids", "--output-limit": "output",
}  # fmt: skip
#: Each flag, and each kind of value; starting the program takes a third of a second.
GIVEN = [
    *((flag, "0") for flag in FLAGS),
    *(("--memory", value) for value in ("-1", "1e308", "")),
    *(("--timeout", value) for value in ("-1", "nan", "1e308", "")),
]


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, -math.inf, 1e308, None, "1", True])
@pytest.mark.parametrize("name", NAMES)
async def test_row_16_refused_with_the_field(name: str, value: object) -> None:
    with pytest.raises(InvalidInput) as caught:
        Limits(**{name: value})  # type: ignore[arg-type]
    assert caught.value.field == name
    assert name in caught.value.message


@pytest.mark.parametrize(("flag", "value"), GIVEN)
async def test_row_16_refused_by_the_command_line(tmp_path: Path, flag: str, value: str) -> None:
    box = tmp_path / "box"
    said = await through_pipes(box, "submit", flag, value, str(PROGRAMS / "spin.py"))
    assert said.status == REFUSED, said
    assert FLAGS[flag].encode() in said.err or flag.encode() in said.err, said
    assert b"Traceback" not in said.err
    assert not said.out
    # Nothing was queued: nothing has even been made.
    assert not box.exists()


async def test_row_16_missing_is_the_finite_default(aftermath: Aftermath) -> None:
    limits = Limits()
    assert all(0 < getattr(limits, name) < 1 << 40 for name in NAMES)
    ordeal = await aftermath.run(["cat", "/proc/meminfo"], limits=limits)
    assert ordeal.outcome is Outcome.OK, ordeal
    assert f"MemTotal: {limits.memory // 1024:>14} kB".encode() in ordeal.stdout
