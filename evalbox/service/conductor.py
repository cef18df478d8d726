"""Does what is planned for batches: ends those early that fail, and reduces those that are over.

What is planned stands in the store, and so does what has been done of it: a process that is killed
in between is followed by one that goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from evalbox.domain.clock import Clock
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, InputFile
from evalbox.domain.experiment import newest
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.state import FINAL, State
from evalbox.errors import FileMissing, InvalidInput, InvalidTransition, StoreError
from evalbox.service.gathering import gather
from evalbox.store.codec import encode_spec
from evalbox.store.store import Store
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

_PAGE = 1000
#: Seconds between looks at the log of events while it grows, and after a failure.
_BREATH, _PAUSE = 0.1, 2.0
_IDLE = 3600.0
_FAILED = frozenset({State.FAILED, State.DEAD})
#: Of an earlier reduce step upon the same results: nothing came of it.
_LOST = frozenset({State.CANCELLED, State.DEAD})


class Conductor:
    """For the process that runs the queue. ``cancelled`` is told what is to be ended at once."""

    def __init__(self, store: Store, clock: Clock, cancelled: Callable[[str], object]) -> None:
        self._store = store
        self._clock = clock
        self._cancelled = cancelled

    async def conduct(self) -> None:
        """Goes on until it is cancelled."""
        seq, wait = 0, 0.0
        due: set[str] | None = None
        while True:
            try:
                if due is None:
                    seq = await self._store.last_seq()
                    due = set(await self._store.planned())
                due = await self._lead(due)
                wait = _PAUSE if due else _IDLE
                newest_seq = await self._store.wait_for_change(seq, wait)
                if newest_seq > seq:
                    due |= set(await self._store.stirred(seq))
                    seq = newest_seq
                await asyncio.sleep(_BREATH)
            except Exception as error:
                log.error("batches are not led on", error=str(error))
                await asyncio.sleep(_PAUSE)

    async def _lead(self, names: set[str]) -> set[str]:
        """What is planned for these batches; those that are to be looked at again soon."""
        again = set()
        for step in (self._end_early, self._reduce):
            for name in sorted(names):
                try:
                    await step(name)
                except StoreError as error:
                    log.error("a batch is not led on", batch=name, error=error.message)
                    again.add(name)
                except Exception:
                    log.exception("evalbox itself failed", batch=name)
        return again

    async def _end_early(self, name: str) -> None:
        if not await self._store.fails_fast(name):
            return
        items = await self._members(name)
        while ids := [item.id for item in items if item.state not in FINAL]:
            if not any(item.state in _FAILED for item in newest(items)):
                return
            try:
                await self._store.request_cancel(ids, self._clock.now())
            except InvalidTransition:
                # One has ended meanwhile.
                items = await self._members(name)
                continue
            for one in ids:
                self._cancelled(one)
            return

    async def _reduce(self, name: str) -> None:
        while (due := await self._store.due_reduction(name)) is not None:
            spec, since = due
            items = newest(await self._members(name))
            if not items or any(item.state not in FINAL - {State.CANCELLED} for item in items):
                return
            try:
                inputs = await gather(self._store, items)
                made = await self._make(name, keyed(name, spec, inputs), since)
            except (FileMissing, InvalidInput) as error:
                await self._store.refuse_reduction(name, error.message, self._clock.now())
                return
            if made is not None:
                return

    async def _make(self, name: str, spec: EvaluationSpec, since: int) -> str | None:
        earlier = await self._store.keyed(spec.idempotency_key or "")
        if earlier is not None and (await self._store.get(earlier)).state in _LOST:
            with suppress(InvalidTransition):
                await self._store.retry([earlier], self._clock.now())
        return await self._store.make_reduction(name, spec, since, self._clock.now())

    async def _members(self, name: str) -> list[Evaluation]:
        query = EvaluationFilter(batch=name)
        found: list[Evaluation] = []
        while True:
            after = found[-1].id if found else None
            page = await self._store.list(query, limit=_PAGE, after=after)
            found += page
            if len(page) < _PAGE:
                return found


def keyed(name: str, spec: EvaluationSpec, inputs: Sequence[InputFile]) -> EvaluationSpec:
    """The step with what the others left. The same results make the same one."""
    own = spec.idempotency_key or encode_spec(spec)
    told = json.dumps([name, own, sorted((file.path, file.blob) for file in inputs)])
    digest = hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
    files = (*spec.inputs, *inputs)
    return replace(spec, inputs=files, idempotency_key=f"reduce-{digest[:40]}")
