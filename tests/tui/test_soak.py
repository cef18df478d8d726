"""A thousand evaluations go by while somebody looks at everything, for as long as they take."""

from __future__ import annotations

import asyncio
import gc
from pathlib import Path
from random import Random

import pytest
from conftest import PATIENCE, control, opened, spec

from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.state import FINAL, State

COUNT = 1_000
#: Keys that are pressed at least.
PRESSED = 300
_KINDS = (
    ("echo", "fine"),
    ("error", "ValueError: no", ";", "exit", "1"),
    ("error", "\x1b[2J\x1b]0;owned\x07[bold]not[/bold]", ";", "exit", "2"),
    ("print", "100000"),
    ("oom",),
    ("signal", "11"),
    ("artifact", "a.txt", "text"),
    ("memory", "50000000", ";", "work", "0.2", "1"),
    ("infra", "1", ";", "true"),
)
#: Nothing that changes something: it is for who only looks.
_KEYS = [
    *"12345678jjjkGgsRaxz y",
    *("down", "up", "pagedown", "enter", "enter", "escape", "escape", "escape", "tab"),
    *("slash", "question_mark", "ctrl+p"),
]


def _many(random: Random) -> list[EvaluationSpec]:
    return [
        spec(
            f"soak-{number % 40}", *random.choice(_KINDS), ";", "sleep", f"{random.random():.3f}",
            batch=f"batch-{number % 5}", labels={"agent": f"agent-{number % 3}"},
            artifacts=("a.txt",),
        )
        for number in range(COUNT)
    ]  # fmt: skip


@pytest.mark.timeout(600)
async def test_a_thousand_evaluations_under_one_screen(tmp_path: Path) -> None:
    random = Random(11)
    async with opened(tmp_path / "box") as box, control(box, read_only=True) as (app, pilot):
        # Each widget of a screen that was once seen has a task of its own.
        await pilot.press(*"12345678")
        idle = len(asyncio.all_tasks())
        await box.submit(_many(random))
        pressed = 0
        while True:
            await pilot.press(random.choice(_KEYS).replace(" ", "space"))
            pressed += 1
            if pressed % 50 == 0:
                states = (await box.queue()).states
                if pressed >= PRESSED and sum(states.get(one, 0) for one in FINAL) == COUNT:
                    break
            await asyncio.sleep(0.02)
        while len(app.screen_stack) > 1:
            await pilot.press("escape")
        await pilot.press("escape", "1", "escape", "escape")
        async with asyncio.timeout(PATIENCE):
            while {state: n for state, n in app.context.book.states.items() if n} != {
                state: n for state, n in (await box.queue()).states.items() if n
            }:
                await asyncio.sleep(0.05)
        assert app.context.book.states[State.COMPLETED] > COUNT / 3
        assert len(app.context.book) == COUNT
        assert app._exception is None
        gc.collect()
        # Screens that were left have taken what they had begun with them.
        async with asyncio.timeout(PATIENCE):
            while len(asyncio.all_tasks()) > idle + 20:
                await asyncio.sleep(0.1)
