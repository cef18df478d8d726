"""What the tests of recovery share: a box on the fake engine, and engines that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalbox.config.settings import Settings
from evalbox.domain.activity import Activity
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.service.box import Box
from evalbox.service.local import LocalBox

AT_ONCE = RetryPolicy(base=0.0, cap=0.0)


def settings_in(directory: Path, **changes: Any) -> Settings:
    """Settings under which a busy host holds nothing up."""
    made = Settings(
        data_dir=directory,
        engine="fake",
        slots=4,
        memory_percent=100,
        disk_free=0,
        load_per_core=1000,
    )
    return replace(made, **changes)


def spec(*command: str, **changes: Any) -> EvaluationSpec:
    made = EvaluationSpec(
        name=command[0], command=command, image="any", engine="fake", retry=AT_ONCE
    )
    return replace(made, **changes)


@asynccontextmanager
async def opened(
    settings: Settings, engine: FakeEngine, *, work: bool = True, warm: int = 0
) -> AsyncIterator[LocalBox]:
    """A box that leaves at once what runs, as the engine does not."""
    box = await LocalBox.open(settings, work=work, warm=warm, engines=[engine])
    try:
        yield box
    finally:
        await box.close(drain=0)


async def ended(box: LocalBox, evaluation_id: str, *, within: float = 10.0) -> Evaluation:
    async with asyncio.timeout(within):
        return await box.wait(evaluation_id)


async def run(box: LocalBox, wanted: EvaluationSpec) -> Evaluation:
    (evaluation,) = await box.submit([wanted])
    return await ended(box, evaluation.id)


async def output(box: LocalBox, evaluation_id: str, *, follow: bool = False) -> bytes:
    return b"".join([piece.data async for piece in box.output(evaluation_id, follow=follow)])


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.01)


async def reaches(box: LocalBox, evaluation_id: str, state: State) -> None:
    async def there() -> bool:
        return (await box.get(evaluation_id)).state is state

    await until(there)


async def phase(box: Box, wanted: str) -> Activity:
    """The activity of the first attempt that comes to be at ``wanted``."""
    found: list[Activity] = []

    async def there() -> bool:
        found[:] = [one for one in await box.activity() if one.phase == wanted]
        return bool(found)

    await until(there)
    return found[0]


class Meddled(FakeEngine):
    """``meddle`` changes each sandbox that is made or adopted."""

    def __init__(self, meddle: Callable[[Any], None], **options: Any) -> None:
        super().__init__(**options)
        self._meddle = meddle

    async def create(self, *args: Any, **options: Any) -> Any:
        sandbox = await super().create(*args, **options)
        self._meddle(sandbox)
        return sandbox

    async def adopt(self, sandbox_id: str) -> Any:
        sandbox = await super().adopt(sandbox_id)
        self._meddle(sandbox)
        return sandbox
