"""The warm pool: sandboxes that were started before anybody asked for them.

It keeps up to ``size`` of them for one profile, on the guess that the next evaluation is like the
ones before. Another profile takes its place once it has been asked for ``size`` times in a row:
that is as many sandboxes as the change costs. A sandbox is given out once and never comes back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from evalbox.engines.base import LABEL_BOX, Engine, Profile, Sandbox
from evalbox.errors import EngineError, EvalboxError
from evalbox.scheduler.gate import Gate
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

Key = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Warm:
    key: Key
    sandbox: Sandbox


class WarmPool:
    def __init__(self, box_id: str, size: int) -> None:
        self.size = size
        self._labels = {LABEL_BOX: box_id}
        self._ready: deque[_Warm] = deque()
        self._being_made: set[asyncio.Task[None]] = set()
        self._partings: set[asyncio.Task[None]] = set()
        self._wanted: tuple[Key, Gate, Profile] | None = None
        self._in_a_row: tuple[Key | None, int] = None, 0
        self._closed = False

    def __len__(self) -> int:
        return len(self._ready)

    async def acquire(
        self, gate: Gate, profile: Profile, labels: Mapping[str, str], name: str
    ) -> tuple[Sandbox, bool]:
        """A sandbox of the profile, and whether it was warm."""
        engine = gate.engine
        if engine.warmable and self.size:
            key = self._asked(gate, profile)
            for item in self._ready:
                if item.key == key:
                    self._ready.remove(item)
                    self.refill()
                    return item.sandbox, True
        async with gate.creation():
            sandbox = await engine.create(profile, labels={**labels, **self._labels}, name=name)
        # Only now, so as not to get in the way of what was waited for.
        self.refill()
        return sandbox, False

    def prewarm(self, gate: Gate, profile: Profile) -> None:
        """Makes sandboxes of a profile that nobody has asked for yet."""
        if gate.engine.warmable and self.size and self._wanted is None:
            self._wanted = _key(gate, profile), gate, profile
            self.refill()

    def _asked(self, gate: Gate, profile: Profile) -> Key:
        key = _key(gate, profile)
        last, count = self._in_a_row
        self._in_a_row = key, count + 1 if key == last else 1
        # What was only guessed before anybody asked gives way at once.
        if last is None or self._in_a_row[1] >= self.size:
            self._wanted = key, gate, profile
        return key

    def refill(self) -> None:
        """Starts making what is missing."""
        if self._wanted is None or self._closed:
            return
        key, gate, profile = self._wanted
        if not gate.is_open:
            return
        for item in [item for item in self._ready if item.key != key]:
            self._ready.remove(item)
            self._part(item.sandbox)
        for _ in range(self.size - len(self._ready) - len(self._being_made)):
            task = asyncio.create_task(self._make(key, gate, profile), name="warm-sandbox")
            self._being_made.add(task)
            task.add_done_callback(self._being_made.discard)

    async def _make(self, key: Key, gate: Gate, profile: Profile) -> None:
        try:
            async with gate.creation():
                sandbox = await gate.engine.create(profile, labels=self._labels)
                self._ready.append(_Warm(key, sandbox))
        except EvalboxError as error:
            log.warning("warm sandbox not made", engine=gate.engine.name, error=error.message)
            if isinstance(error, EngineError):
                gate.failed(error)

    def forget(self, engine: Engine) -> None:
        """Drops the engine's warm sandboxes, after an outage that they did not survive."""
        for item in [item for item in self._ready if item.key[0] == engine.name]:
            self._ready.remove(item)
            self._part(item.sandbox)

    def _part(self, sandbox: Sandbox) -> None:
        task = asyncio.create_task(self._destroy(sandbox), name="destroy-warm")
        self._partings.add(task)
        task.add_done_callback(self._partings.discard)

    async def _destroy(self, sandbox: Sandbox) -> None:
        try:
            await sandbox.destroy()
        except EngineError as error:
            log.warning("warm sandbox not removed", sandbox=sandbox.id, error=error.message)

    async def close(self) -> None:
        """Removes every warm sandbox, those being made included."""
        self._closed = True
        for task in self._being_made:
            task.cancel()
        await asyncio.gather(*self._being_made, return_exceptions=True)
        while self._ready:
            self._part(self._ready.pop().sandbox)
        await asyncio.gather(*self._partings, return_exceptions=True)


def _key(gate: Gate, profile: Profile) -> Key:
    return (gate.engine.name, *profile.alike())
