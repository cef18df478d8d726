"""The newest events, encoded, and which of them are whose."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from evalbox.domain.event import Event
from evalbox.wire import document

#: The most that one answer to a reader holds.
CHUNK_ENTRIES, CHUNK_CHARACTERS = 200, 64 << 10

P = TypeVar("P", bytes, str)

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Selection(NamedTuple):
    """What a reader follows: all events, or those of an evaluation, of a batch, or of both."""

    evaluation_id: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An event; ``text`` is its document as JSON."""

    seq: int
    evaluation_id: str | None
    batch: str | None
    text: str


def entry(event: Event) -> Entry:
    return Entry(event.seq, event.evaluation_id, event.batch, _encode(document.event(event)))


@dataclass(frozen=True, slots=True)
class Chunk(Generic[P]):
    """Events as they are sent, with the seq of the last one."""

    payload: P
    last: int


Encoder = Callable[[Sequence[Entry]], P]


class Topic:
    """What the ring holds for one selection: all of it with a seq beyond ``floor``."""

    def __init__(self, entries: Iterable[Entry], floor: int) -> None:
        self.floor = floor
        self._entries = list(entries)
        self._made: dict[tuple[int, Encoder[Any]], Chunk[Any]] = {}

    def append(self, added: Entry) -> None:
        self._entries.append(added)
        self._made.clear()

    def forget(self, seq: int) -> None:
        """Lets go of what is not beyond ``seq``."""
        count = bisect_right(self._entries, seq, key=_seq)
        if count:
            self.floor = self._entries[count - 1].seq
            del self._entries[:count]
            self._made.clear()

    def since(self, position: int, encode: Encoder[P]) -> Chunk[P] | None:
        """What follows ``position``, which is not below the floor; None where nothing does.

        Made once for all who stand at the same place.
        """
        if not self._entries or self._entries[-1].seq <= position:
            return None
        made: Chunk[P] | None = self._made.get((position, encode))
        if made is None:
            first = bisect_right(self._entries, position, key=_seq)
            made = chunk(self._entries[first : first + CHUNK_ENTRIES], encode)
            self._made[position, encode] = made
        return made


class Ring:
    """The newest events, at most ``capacity``, and the topics that are followed."""

    def __init__(self, capacity: int) -> None:
        self._capacity: Final = capacity
        self._entries: list[Entry] = []
        self._topics: dict[Selection, Topic] = {}
        self._floor = 0
        self.head = 0

    def reset(self, head: int) -> None:
        """Begins anew behind ``head``, with no topics."""
        self._entries.clear()
        self._topics.clear()
        self._floor = self.head = head

    def topic(self, selection: Selection) -> Topic:
        """Made where nobody has followed the selection so far."""
        found = self._topics.get(selection)
        if found is None:
            fitting = (item for item in self._entries if selection in selections(item))
            found = self._topics[selection] = Topic(fitting, self._floor)
        return found

    def drop(self, selection: Selection) -> None:
        """Nobody follows it any more."""
        self._topics.pop(selection, None)

    def extend(self, added: Sequence[Entry]) -> set[Selection]:
        """Takes in what is newer than all before; gives the selections that it concerns."""
        concerned = set()
        for item in added:
            for selection in selections(item):
                if (topic := self._topics.get(selection)) is not None:
                    topic.append(item)
                    concerned.add(selection)
        self._entries += added
        self.head = self._entries[-1].seq if self._entries else self.head
        self._trim()
        return concerned

    def _trim(self) -> None:
        surplus = len(self._entries) - self._capacity
        if surplus <= 0:
            return
        gone = self._entries[:surplus]
        del self._entries[:surplus]
        self._floor = gone[-1].seq
        for selection in {one for item in gone for one in selections(item)}:
            if (topic := self._topics.get(selection)) is not None:
                topic.forget(self._floor)


def selections(item: Entry) -> set[Selection]:
    """All that an event is a part of."""
    return {
        Selection(evaluation_id, batch)
        for evaluation_id in (None, item.evaluation_id)
        for batch in (None, item.batch)
    }


def chunk(entries: Sequence[Entry], encode: Encoder[P]) -> Chunk[P]:
    """As many of ``entries``, from the first on, as one chunk may hold; one at least."""
    size, count = 0, 0
    for item in entries:
        size += len(item.text)
        if count and size > CHUNK_CHARACTERS:
            break
        count += 1
    return Chunk(encode(entries[:count]), entries[count - 1].seq)


def _seq(item: Entry) -> int:
    return item.seq
