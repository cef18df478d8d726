"""What happened and who did what."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import PATIENCE, control, in_state, shows, spec, submit, text_of, until
from textual.pilot import Pilot

from evalbox.domain.audit import AuditEntry, AuditReport
from evalbox.domain.event import Event
from evalbox.domain.state import State
from evalbox.engines.fake import FakeEngine
from evalbox.errors import Forbidden
from evalbox.service.audit import LocalAudit
from evalbox.service.local import LocalBox
from evalbox.tui.happenings import actor_of, evaluation_of, outcome_of, tone_of, words_of
from evalbox.tui.model import chronicle as chronicle_module
from evalbox.tui.model.chronicle import Chronicle, Entry
from evalbox.tui.model.query import parse
from evalbox.tui.model.story import Story
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.events import EventsScreen
from evalbox.tui.screens.whole import Whole
from evalbox.tui.theme import Tone

EVENTS = "6"
HOSTILE = "[red]evil[/red]\x1b[2J\u202e\U0001f469\u200d\U0001f680"


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


async def test_both_logs_are_one_story(box: LocalBox) -> None:
    async with control(box, size=(160, 36)) as (app, pilot):
        await press(pilot, EVENTS)
        await shows(app, "Nothing has happened yet.")
        (one,) = await submit(box, spec("failing", "exit", "3"))
        await in_state(box, one, State.FAILED)
        await shows(app, "evaluation.failed")
        await shows(app, "failed: exit status 3")
        await shows(app, "evaluation.submit")
        await shows(app, "try 1 runs")
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        assert screen.table.current is screen.table.rows[-1]
        await press(pilot, "t")
        await until(lambda: all(isinstance(row, Event) for row in screen.table.rows))
        await press(pilot, "t")
        await until(lambda: all(isinstance(row, AuditEntry) for row in screen.table.rows))
        await press(pilot, "t", "slash", *"kind:failed", "enter")
        await until(lambda: len(screen.table.rows) == 1)
        await press(pilot, "d")
        await shows(app, '"exit_code": 3')
        await press(pilot, "escape", "enter")
        assert isinstance(app.screen, EvaluationScreen)


async def test_the_last_is_followed_until_another_is_looked_at(box: LocalBox) -> None:
    await box.pause()
    await submit(box, *[spec(f"old {place}") for place in range(50)])
    async with control(box, size=(100, 20)) as (app, pilot):
        await press(pilot, EVENTS, "t")
        screen = app.screen
        assert isinstance(screen, EventsScreen)
        table = screen.table
        await until(lambda: len(table.rows) == 51)
        await until(lambda: table.cursor == 50)
        await submit(box, spec("new"))
        await until(lambda: table.cursor == 51)
        await press(pilot, "k", "k")
        looked_at = table.current
        await submit(box, spec("newer"))
        await until(lambda: len(table.rows) == 53)
        assert table.current is looked_at
        await press(pilot, "G")
        await submit(box, spec("newest"))
        await until(lambda: len(table.rows) == 54 and table.cursor == 53)
        await press(pilot, "p")
        known = len(screen.chronicle.events)
        await submit(box, spec("unseen"))
        await until(lambda: len(screen.chronicle.events) == known + 1)
        screen.look()
        await pilot.pause()
        assert len(table.rows) == 54
        await press(pilot, "p")
        await until(lambda: len(table.rows) == 55)


async def test_the_last_is_seen_from_the_start_and_at_any_height(box: LocalBox) -> None:
    await box.pause()
    await submit(box, *[spec(f"old {place}") for place in range(80)], spec("newest"))
    async with control(box, size=(120, 24)) as (app, pilot):
        await press(pilot, EVENTS, "t")
        await shows(app, " newest")
        await press(pilot, "1", "6")
        await shows(app, " newest")
        await pilot.resize_terminal(120, 18)
        await shows(app, " newest")


async def test_the_audit_log_is_verified(box: LocalBox, monkeypatch: pytest.MonkeyPatch) -> None:
    await submit(box, spec("one"))
    async with control(box) as (app, pilot):
        await press(pilot, EVENTS, "v")
        await shows(app, "The audit log is sound: 1 entry")
        await shows(app, (await box.audit.verify()).head)
        await press(pilot, "escape")

        async def broken(*_: object) -> AuditReport:
            return AuditReport(1, "0" * 64, 2, "its content was changed")

        monkeypatch.setattr(LocalAudit, "verify", broken)
        await press(pilot, "v")
        await shows(app, "The audit log is broken at entry 2.")
        await shows(app, "its content was changed")


async def test_an_engine_that_goes_down_is_told_of(box: LocalBox) -> None:
    engine = box._engine("fake")
    assert isinstance(engine, FakeEngine)
    async with control(box, size=(140, 30)) as (app, pilot):
        await press(pilot, EVENTS, "t")
        engine.down = True
        await submit(box, spec("one"))
        await shows(app, "queue.holding")
        await shows(app, "holding: fake: ")
        engine.down = False
        await shows(app, "queue.released")


async def test_what_users_call_things_is_text(box: LocalBox) -> None:
    (one,) = await submit(box, spec(HOSTILE, batch="b" * 100))
    await in_state(box, one, State.COMPLETED)
    async with control(box, size=(130, 24)) as (app, pilot):
        await press(pilot, EVENTS)
        await shows(app, "[red]evil")
        await press(pilot, "d")
        assert isinstance(app.screen, Whole)
        await press(pilot, "j", "pagedown", "pageup", "k", "y")
        assert "\x1b" not in text_of(app)
        assert "\u202e" not in text_of(app)


async def test_who_may_not_see_the_audit_log_sees_the_events(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> list[AuditEntry]:
        raise Forbidden("the key may not read the audit log")

    monkeypatch.setattr(LocalAudit, "list", refused)
    await submit(box, spec("one"))
    async with control(box) as (app, pilot):
        await press(pilot, EVENTS)
        await shows(app, "the key may not read the audit log")
        await shows(app, "evaluation.queued")
        await press(pilot, "t")
        await until(lambda: "may not read" not in text_of(app))


async def test_a_feed_that_breaks_goes_on_where_it_was(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicle_module, "_AGAIN", 0.01)
    one = Chronicle(box)
    keeping = asyncio.create_task(one.keep())
    await submit(box, spec("first"))
    await until(lambda: len(one.events) > 0)

    def broken(**_: object) -> Any:
        raise Forbidden("not now")

    with monkeypatch.context() as patch:
        patch.setattr(box, "events", broken)
        keeping.cancel()
        keeping = asyncio.create_task(one.keep())
        await until(lambda: one.trouble[0] == "not now")
        await submit(box, spec("second"))
    await until(lambda: not one.trouble[0])
    async with asyncio.timeout(PATIENCE):
        while one.events[-1].seq != await box.last_seq():
            await asyncio.sleep(0.01)
    seqs = [event.seq for event in one.events]
    assert seqs == sorted(set(seqs))
    keeping.cancel()


@pytest.mark.parametrize(
    ("kind", "data", "words", "tone"),
    [
        ("evaluation.queued", {"name": "x"}, "submitted", Tone.MUTED),
        ("evaluation.queued", {"outcome": "timeout", "reason": "over 5 s"},
         "to be tried again after timeout: over 5 s", Tone.WARN),
        ("evaluation.dead", {"outcome": "infra_error", "reason": ""},
         "given up after infra error", Tone.BAD),
        ("evaluation.cancel_requested", {}, "asked to cancel", Tone.WARN),
        ("evaluation.surprise", {"a": [1]}, "a [1]", Tone.WARN),
        ("queue.holding", {"reason": "holding: memory 95 % > 92 %"},
         "holding: memory 95 % > 92 %", Tone.WARN),
        ("queue.resized", {"slots": 4}, "4 run at once", Tone.ACCENT),
        ("batch.limited", {"batch": "b", "concurrency": None},
         "as many at once as there are slots", Tone.ACCENT),
        ("alert.raised", {"key": "engine:gvisor", "text": "down"}, "down", Tone.BAD),
        ("some.thing", {}, "", Tone.ACCENT),
    ],
)  # fmt: skip
def test_events_are_told_in_words(kind: str, data: dict[str, Any], words: str, tone: Tone) -> None:
    event = Event(1, 0.0, kind, "id" if kind.startswith("evaluation") else None, 1, data)
    assert words_of(event) == words
    assert tone_of(event) is tone


def test_audit_entries_are_told_in_words() -> None:
    entry = AuditEntry(1, 0.0, "ada", "10.0.0.1", "evaluation.cancel", "id", "ok",
                       detail={"count": 3, "ids": ["a", "b", "c"]})  # fmt: skip
    assert words_of(entry) == "3 evaluations"
    assert actor_of(entry) == "ada (10.0.0.1)"
    assert evaluation_of(entry) == "id"
    refused = AuditEntry(2, 0.0, "ada", "local", "image.pull", "x", "image_not_found")
    assert words_of(refused) == "refused: image not found"
    assert outcome_of(refused) == ("image_not_found", Tone.BAD)
    assert actor_of(refused) == "ada"
    assert evaluation_of(refused) is None
    made = AuditEntry(3, 0.0, "ada", "socket", "key.create", "id", "ok",
                      detail={"scopes": ["read", "admin"], "expires_at": None, "signing": False},
                      )  # fmt: skip
    assert actor_of(made) == "ada"
    assert words_of(made) == "scopes read and admin, signing no"


async def test_a_filter_looks_at_new_entries_only() -> None:
    looked: list[int] = []
    names: dict[int, str] = {}

    def named(entry: Entry) -> str:
        looked.append(entry.seq)
        return names.get(entry.seq, "")

    story = Story()
    entries = [Event(seq, float(seq), "evaluation.queued") for seq in range(100)]
    story.put(entries)
    story.query = parse("task:fizz", {"task": named}, named)
    names |= {3: "fizz", 98: "fizz"}
    assert await story.renew()
    assert [row.seq for row in story.rows] == [3, 98]
    looked.clear()
    # Of this one the name was not known before, and it has just happened.
    names[97] = "fizz"
    story.put([*entries, Event(100, 100.0, "evaluation.queued")])
    assert story.due(0.0)
    assert await story.renew()
    assert [row.seq for row in story.rows] == [3, 97, 98]
    assert len(looked) < 15
    assert not story.due(0.0)
