"""The newest events in memory: whose they are, how far back they go, and that they are shared."""

from __future__ import annotations

import json

from evalbox.api.feed.encoding import FRAMED, SERVER_SENT
from evalbox.api.feed.ring import (
    CHUNK_CHARACTERS,
    CHUNK_ENTRIES,
    Entry,
    Ring,
    Selection,
    chunk,
    entry,
)
from evalbox.domain.event import Event

ALL = Selection()
encode = FRAMED.events


def made(seq: int, evaluation_id: str | None = None, batch: str | None = None) -> Entry:
    return entry(Event(seq, 0.0, "test", evaluation_id=evaluation_id, batch=batch))


def seqs(text: str) -> list[int]:
    return [event["seq"] for event in json.loads(text)["events"]]


def test_a_topic_has_what_fits_it() -> None:
    ring = Ring(100)
    everything = ring.topic(ALL)
    ring.extend([made(1, "a", "x"), made(2, "b", "x"), made(3, "a"), made(4)])
    for selection, expected in {
        ALL: [1, 2, 3, 4],
        Selection("a"): [1, 3],
        Selection(None, "x"): [1, 2],
        Selection("a", "x"): [1],
    }.items():
        found = ring.topic(selection).since(0, encode)
        assert found is not None
        assert seqs(found.payload) == expected
    # None is "all", not "those of no evaluation".
    assert ring.topic(ALL) is everything


def test_only_the_selections_of_an_event_are_concerned() -> None:
    ring = Ring(100)
    for selection in (ALL, Selection("a"), Selection("b"), Selection(None, "x")):
        ring.topic(selection)
    assert ring.extend([made(1, "a"), made(2, "a", "y")]) == {ALL, Selection("a")}


def test_one_chunk_is_made_for_all_who_stand_at_the_same_place() -> None:
    ring = Ring(100)
    topic = ring.topic(ALL)
    ring.extend([made(1), made(2)])
    assert topic.since(0, encode) is topic.since(0, encode)
    assert topic.since(1, encode) is not topic.since(0, encode)
    before = topic.since(0, encode)
    ring.extend([made(3)])
    after = topic.since(0, encode)
    assert before is not None
    assert after is not None
    assert (before.last, after.last) == (2, 3)


def test_a_quiet_topic_does_not_fall_behind_the_ring() -> None:
    ring = Ring(3)
    quiet, busy = ring.topic(Selection("a")), ring.topic(ALL)
    ring.extend([made(1, "a")])
    ring.extend([made(seq, "b") for seq in range(2, 20)])
    assert busy.floor == 16
    # Its one event has been forgotten, and nothing else of it ever was.
    assert quiet.floor == 1
    assert quiet.since(1, encode) is None
    assert ring.topic(Selection("b")).floor == 16


def test_a_chunk_is_bounded_by_count_and_by_size() -> None:
    many = [made(seq) for seq in range(1, CHUNK_ENTRIES + 5)]
    ring = Ring(1000)
    topic = ring.topic(ALL)
    ring.extend(many)
    found = topic.since(0, encode)
    assert found is not None
    assert found.last == CHUNK_ENTRIES
    wide = [Entry(seq, None, None, '"' + "x" * (CHUNK_CHARACTERS // 2) + '"') for seq in (1, 2, 3)]
    assert chunk(wide, encode).last == 1
    assert chunk(wide[2:], encode).last == 3


def test_server_sent_events_can_be_read_line_by_line() -> None:
    text = SERVER_SENT.events([made(7, "a"), made(9)]).decode()
    first, second, rest = text.split("\n\n")
    assert rest == ""
    assert first.split("\n")[:2] == ["id: 7", "event: event"]
    assert json.loads(second.split("data: ")[1])["seq"] == 9
    assert SERVER_SENT.alive(7) == b": alive\nid: 7\n\n"
