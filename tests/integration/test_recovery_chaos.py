"""Processes that die or are closed at any moment: nothing is lost, and nothing runs twice.

The fake engine's host outlives them, as a Docker engine does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest
from recovery_support import opened, output, settings_in, spec, until

from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import FINAL
from evalbox.engines.base import Chunk, Exit, Launch, Sandbox, Stream
from evalbox.engines.fake import FakeEngine, FakeHost
from evalbox.service.local import LocalBox

T = TypeVar("T")

_EVALUATIONS = 8
_PATIENT = RetryPolicy(infra_retries=1000, base=0.0, cap=0.0)


class Power:
    """Fails for good at the ``moment``-th thing that is done, before or after its effect.

    What is done without power has no effect: so a process ends that is killed there.
    """

    def __init__(self, moment: int, *, after: bool) -> None:
        self.failed = asyncio.Event()
        self._left = moment
        self._after = after

    async def use(self, call: Callable[[], Awaitable[T]]) -> T:
        self._left -= 1
        if self._left == 0 and not self._after:
            self.failed.set()
        if self.failed.is_set():
            raise asyncio.CancelledError
        last = self._left == 0
        result = await call()
        if last:
            self.failed.set()
        if self.failed.is_set():
            raise asyncio.CancelledError
        return result


class MortalEngine(FakeEngine):
    def __init__(self, power: Power, host: FakeHost) -> None:
        super().__init__(host=host)
        self._power = power

    async def ping(self) -> None:
        await self._power.use(super().ping)

    async def create(self, *args: Any, **options: Any) -> Sandbox:
        made = await self._power.use(lambda: FakeEngine.create(self, *args, **options))
        return MortalSandbox(self._power, made)

    async def adopt(self, sandbox_id: str) -> Sandbox:
        made = await self._power.use(lambda: FakeEngine.adopt(self, sandbox_id))
        return MortalSandbox(self._power, made)

    async def reap(self, box: str, keep: frozenset[str]) -> int:
        return await self._power.use(lambda: FakeEngine.reap(self, box, keep))


class MortalSandbox:
    def __init__(self, power: Power, real: Sandbox) -> None:
        self._power = power
        self._real = real
        self.id = real.id
        self.usage = real.usage
        self.artifacts = real.artifacts

    async def prepare(self, launch: Launch) -> None:
        await self._power.use(lambda: self._real.prepare(launch))

    async def launch(self, launch: Launch) -> None:
        await self._power.use(lambda: self._real.launch(launch))

    async def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        async for chunk in self._real.output(skip):
            await self._power.use(_nothing)
            yield chunk

    async def wait(self) -> Exit:
        return await self._power.use(self._real.wait)

    async def kill(self) -> None:
        await self._power.use(self._real.kill)

    async def destroy(self) -> None:
        await self._power.use(self._real.destroy)


async def _nothing() -> None:
    return None


def _commands(seed: int) -> list[tuple[str, ...]]:
    return [
        ("echo", f"{seed}-{number}-a", ";", "sleep", "0.02", ";", "echo", f"{seed}-{number}-b")
        for number in range(_EVALUATIONS)
    ]


async def _submitted(directory: Path, commands: list[tuple[str, ...]]) -> list[str]:
    async with opened(settings_in(directory), FakeEngine(), work=False) as box:
        made = await box.submit([spec(*command, retry=_PATIENT) for command in commands])
    return [item.id for item in made]


async def _all_ended(box: LocalBox, ids: list[str]) -> bool:
    return all([(await box.get(identifier)).state in FINAL for identifier in ids])


async def _check(directory: Path, host: FakeHost, ids: list[str], commands: list[Any]) -> None:
    """Lets the rest end, then looks at all of it."""
    engine = FakeEngine(host=host)
    async with opened(settings_in(directory), engine) as box:
        await until(lambda: _all_ended(box, ids))

        async def nothing_left() -> bool:
            return not host.sandboxes

        await until(nothing_left)
        for identifier, command in zip(ids, commands, strict=True):
            found = await box.get(identifier)
            assert found.outcome is Outcome.OK, found
            assert await output(box, identifier) == f"{command[1]}\n{command[-1]}\n".encode()
            ends = [item async for item in box.events(evaluation_id=identifier)]
            assert [item.kind for item in ends].count("evaluation.completed") == 1
    await engine.close()
    assert host.runs == dict.fromkeys(commands, 1)


@pytest.mark.parametrize("seed", range(10))
async def test_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    host, commands = FakeHost(), _commands(seed)
    ids = await _submitted(tmp_path / "box", commands)
    for _ in range(12):
        power = Power(chance.randint(1, 40), after=chance.random() < 0.5)
        engine = MortalEngine(power, host)
        box = await LocalBox.open(
            settings_in(tmp_path / "box"), work=True, warm=chance.choice([0, 2]), engines=[engine]
        )
        writer = box._store._writer
        assert writer is not None
        write = writer.run

        async def mortal(
            *args: Any, power: Power = power, write: Any = write, **options: Any
        ) -> Any:
            return await power.use(lambda: write(*args, **options))

        writer.run = mortal  # type: ignore[method-assign]
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await power.failed.wait()
        power.failed.set()
        await box.close(drain=0)
        await engine.close()
    await _check(tmp_path / "box", host, ids, commands)


@pytest.mark.parametrize("seed", range(10))
async def test_closed_at_any_moment(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    host, commands = FakeHost(), _commands(seed)
    ids = await _submitted(tmp_path / "box", commands)
    for _ in range(12):
        engine = FakeEngine(host=host, create_seconds=chance.choice([0.0, 0.01]))
        opening = asyncio.create_task(
            LocalBox.open(
                settings_in(tmp_path / "box"),
                work=True,
                warm=chance.choice([0, 2]),
                engines=[engine],
            )
        )
        for _ in range(chance.randint(0, 60)):
            await asyncio.sleep(0)
        if chance.random() < 0.3:
            opening.cancel()
        with suppress(asyncio.CancelledError):
            box = await opening
            await asyncio.sleep(chance.random() * 0.05)
            closing = asyncio.create_task(box.close(drain=chance.choice([0, 0, 0.01, None])))
            await asyncio.sleep(chance.random() * 0.02)
            closing.cancel()
            with suppress(asyncio.CancelledError):
                await closing
            await box.close(drain=0)
        await engine.close()
    await _check(tmp_path / "box", host, ids, commands)
    async with opened(settings_in(tmp_path / "box"), FakeEngine(), work=False) as box:
        for identifier in ids:
            reasons = [
                made.verdict.reason for made in await box.attempts(identifier) if made.verdict
            ]
            assert (await box.get(identifier)).infra_failures == 0, reasons
