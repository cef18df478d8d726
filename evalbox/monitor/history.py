"""The samples of the last while."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Dated(Protocol):
    @property
    def at(self) -> float: ...


S = TypeVar("S", bound=Dated)


class History(Generic[S]):
    """A ring that keeps the newest ``size`` samples, oldest first."""

    def __init__(self, size: int) -> None:
        self._samples: deque[S] = deque(maxlen=size)

    def append(self, sample: S) -> None:
        self._samples.append(sample)

    @property
    def latest(self) -> S | None:
        return self._samples[-1] if self._samples else None

    def since(self, at: float) -> list[S]:
        """The samples taken after ``at``, oldest first."""
        found = []
        for sample in reversed(self._samples):
            if sample.at <= at:
                break
            found.append(sample)
        return found[::-1]

    def __iter__(self) -> Iterator[S]:
        return iter(tuple(self._samples))

    def __len__(self) -> int:
        return len(self._samples)
