"""One evaluation, as far as it has been looked into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.event import Event
from evalbox.domain.records import ArtifactRecord
from evalbox.domain.report import TaskReport
from evalbox.domain.state import FINAL
from evalbox.service.box import Box
from evalbox.tui.model.timeline import Step, Track, tracks

Samples = Sequence[tuple[float, Usage]]


class Subject:
    """``attempt`` is the number of the one that is looked at: the newest, unless one is chosen.

    ``samples``, ``artifacts`` and ``report`` are that attempt's, and are asked for only by who
    shows them.
    ``version`` grows with everything that is learnt.
    """

    def __init__(self, box: Box, evaluation_id: str) -> None:
        self.box = box
        self.id = evaluation_id
        self.item: Evaluation | None = None
        self.attempts: Sequence[Attempt] = ()
        self.events: list[Event] = []
        self._tracks: tuple[int, Sequence[Track]] = (0, ())
        self.explained = ""
        self.samples: Samples = ()
        self.artifacts: Sequence[ArtifactRecord] | None = None
        self.report: TaskReport | None = None
        #: Whether the report was asked for: there may be none.
        self.reported = False
        self.version = 0
        self._chosen: int | None = None

    @property
    def over(self) -> bool:
        return self.item is not None and self.item.state in FINAL

    @property
    def newest(self) -> int:
        """0 where none was begun."""
        return self.attempts[-1].number if self.attempts else 0

    @property
    def attempt(self) -> int:
        return self._chosen or self.newest

    @property
    def shown(self) -> Attempt | None:
        """The attempt that is looked at."""
        return next((one for one in self.attempts if one.number == self.attempt), None)

    @property
    def tracks(self) -> Sequence[Track]:
        """Made when they are asked for: events come by the hundred."""
        known, found = self._tracks
        if known != len(self.events):
            found = tracks(self.events)
            self._tracks = (len(self.events), found)
        return found

    @property
    def steps(self) -> Sequence[Step]:
        """What the attempt that is looked at has come to, where a driver leads it."""
        return next((one.steps for one in self.tracks if one.number == self.attempt), ())

    def choose(self, by: int) -> bool:
        """Looks at an attempt before or after; whether there is one."""
        number = self.attempt + by
        if not any(one.number == number for one in self.attempts):
            return False
        self._chosen = None if number == self.newest else number
        self._forget()
        self.version += 1
        return True

    def _forget(self) -> None:
        """What is of another attempt."""
        self.samples, self.artifacts = (), None
        self.report, self.reported = None, False

    # --- learning ---

    async def follow(self) -> AsyncIterator[Event]:
        """What happens to it and is not known yet, from its beginning on and without end."""
        seq = self.events[-1].seq if self.events else 0
        events = self.box.events(after=seq, evaluation_id=self.id, follow=True)
        async with aclosing(events) as coming:  # type: ignore[type-var]
            async for event in coming:
                self.events.append(event)
                self.version += 1
                yield event

    async def renew(self) -> None:
        newest = self.newest
        self.item, self.attempts, self.explained = await asyncio.gather(
            self.box.get(self.id), self.box.attempts(self.id), self.box.explain(self.id)
        )
        if self.newest != newest and self._chosen is None:
            self._forget()
        self.version += 1

    async def renew_samples(self) -> None:
        if number := self.attempt:
            samples = await self.box.samples(self.id, number)
            if number == self.attempt:
                self.samples = samples
                self.version += 1

    async def renew_artifacts(self) -> None:
        if number := self.attempt:
            artifacts = await self.box.artifacts(self.id, attempt=number)
            if number == self.attempt:
                self.artifacts = artifacts
                self.version += 1

    async def renew_report(self) -> None:
        if number := self.attempt:
            report = await self.box.report(self.id, attempt=number)
            if number == self.attempt:
                self.report, self.reported = report, True
                self.version += 1
