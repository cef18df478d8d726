"""Waiting for evaluations to end: one look at the log for all who wait, however many they are."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.state import FINAL
from evalbox.errors import StoreError
from evalbox.store.store import Store

_PAGE = 500
_PATIENCE = 60.0
#: The events that end the waiting for an evaluation, for good or for a look at it.
_ENDINGS = frozenset({"evaluation.removed", *(f"evaluation.{state}" for state in FINAL)})


class Endings:
    """Reads the log while somebody waits. To be closed before the store is."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: defaultdict[str, set[asyncio.Future[None]]] = defaultdict(set)
        self._begun = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None

    async def of(self, evaluation_id: str) -> Evaluation:
        """The evaluation, once it is in a final state. Raises ``EvaluationNotFound``."""
        while True:
            told = asyncio.get_running_loop().create_future()
            self._waiting[evaluation_id].add(told)
            try:
                if self._watcher is None or self._watcher.done():
                    self._begun.clear()
                    self._watcher = asyncio.create_task(self._watch(), name="endings")
                # What is not in the log that is read from now on is seen by this look.
                await self._begun.wait()
                evaluation = await self._store.get(evaluation_id)
                if evaluation.state in FINAL:
                    return evaluation
                await told
            finally:
                self._forget(evaluation_id, told)

    async def close(self) -> None:
        """Ends the waiting: those who wait get ``StoreError``."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)

    async def _watch(self) -> None:
        error: Exception = StoreError("the box was closed")
        try:
            seq = await self._store.last_seq()
            self._begun.set()
            while self._waiting:
                page = await self._store.events(seq, limit=_PAGE)
                for event in page:
                    seq = event.seq
                    if event.kind in _ENDINGS:
                        self._tell(event.evaluation_id or "")
                if len(page) < _PAGE:
                    await self._store.wait_for_change(seq, _PATIENCE)
        except Exception as failed:
            # Theirs to hear of: nobody awaits this task.
            error = failed
        finally:
            self._begun.set()
            for told in [told for waiting in self._waiting.values() for told in waiting]:
                if not told.done():
                    told.set_exception(error)

    def _tell(self, evaluation_id: str) -> None:
        for told in self._waiting.get(evaluation_id, ()):
            if not told.done():
                told.set_result(None)

    def _forget(self, evaluation_id: str, told: asyncio.Future[None]) -> None:
        waiting = self._waiting[evaluation_id]
        waiting.discard(told)
        if not waiting:
            del self._waiting[evaluation_id]
        if told.done() and not told.cancelled():
            told.exception()
