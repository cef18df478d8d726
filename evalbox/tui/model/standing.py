"""How the box stands: its queue and its machine, with a short history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evalbox.domain.activity import Activity
from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.records import QueueStatus
from evalbox.domain.state import ACTIVE, State

#: Samples of the host that are kept for pictures.
_KEPT = 3600


@dataclass(slots=True)
class Standing:
    """``trouble`` says in words why what is shown may be old; empty where it is not.

    ``activity`` is what attempts under way are at, by the evaluation's id; ``attended`` tells
    whether there ever was any.
    """

    queue: QueueStatus | None = None
    host: HostReport | None = None
    history: deque[HostSample] = field(default_factory=lambda: deque(maxlen=_KEPT))
    trouble: str = ""
    activity: Mapping[str, Activity] = field(default_factory=dict)
    attended: bool = False
    version: int = 0

    def update(self, queue: QueueStatus, host: HostReport) -> None:
        self.queue, self.host, self.trouble = queue, host, ""
        self._keep(*host.history)
        if host.latest is not None:
            self._keep(host.latest)
        self.version += 1

    def attend(self, found: Iterable[Activity]) -> None:
        """Takes in what the attempts under way are at."""
        self.activity = {one.evaluation_id: one for one in found}
        self.attended = self.attended or bool(self.activity)
        self.version += 1

    def fail(self, trouble: str) -> None:
        self.trouble = trouble
        self.version += 1

    def _keep(self, *samples: HostSample) -> None:
        for sample in samples:
            if not self.history or sample.at > self.history[-1].at:
                self.history.append(sample)

    @property
    def active(self) -> int:
        states = self.queue.states if self.queue else {}
        return sum(states.get(state, 0) for state in ACTIVE)

    @property
    def queued(self) -> int:
        return self.queue.states.get(State.QUEUED, 0) if self.queue else 0

    @property
    def admission(self) -> str:
        """In words, whether evaluations start."""
        queue = self.queue
        if queue is None:
            return "looking"
        if not queue.working:
            return "no process runs the queue"
        if queue.draining:
            return "draining: nothing more starts"
        if queue.paused:
            return "paused: nothing starts until it is resumed"
        return queue.holding or "open: what is due starts"
