"""Finding what can be done: the bar, the help, the palette, keys of the user's own."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from conftest import control, shows, spec, submit, text_of, until
from textual.binding import Binding
from textual.pilot import Pilot

from evalbox.errors import ConfigError
from evalbox.service.local import LocalBox
from evalbox.tui import keymap, memory
from evalbox.tui.app import MissionControl
from evalbox.tui.bindings import known, nodes, problems
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.listing import Listing
from evalbox.tui.screens.page import PAGES
from evalbox.tui.screens.queue import QueueScreen


async def press(pilot: Pilot[Any], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def listing(app: MissionControl) -> Listing:
    assert isinstance(app.screen, Listing)
    return app.screen


# --- the bar ---


async def test_all_screens_are_named_where_there_is_room(box: LocalBox) -> None:
    async with control(box, size=(120, 36)) as (app, _):
        top = text_of(app).splitlines()[0]
        for number, page in enumerate(PAGES, start=1):
            assert f"{number} {page}" in top


@pytest.mark.parametrize("size", [(80, 24), (60, 16)])
async def test_a_narrow_bar_names_only_this_screen(box: LocalBox, size: tuple[int, int]) -> None:
    async with control(box, size=size) as (app, pilot):
        assert text_of(app).splitlines()[0].startswith(" evalbox  1 Evaluations  2 3 4 5 6 7 8")
        await press(pilot, "2")
        await until(lambda: isinstance(app.screen, QueueScreen))
        await shows(app, " evalbox  1 2 Queue  3 4 5 6 7 8")


async def test_the_display_stands_still_when_told_to(box: LocalBox) -> None:
    await box.pause()
    await submit(box, spec("before"))
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 1)
        await press(pilot, "p")
        await shows(app, "display paused")
        await submit(box, spec("meanwhile"))
        await until(lambda: len(app.context.book) == 2)
        await pilot.pause(0.2)
        assert "meanwhile" not in text_of(app)
        await press(pilot, "p")
        await shows(app, "meanwhile")
        assert "display paused" not in text_of(app)


# --- help and palette ---


async def test_help_is_made_from_the_bindings(box: LocalBox) -> None:
    async with control(box, size=(120, 120)) as (app, pilot):
        await press(pilot, "question_mark")
        shown = text_of(app)
        for wanted in ("Queue again", "Show only what fits", "D del", "Every action by its name",
                       "Moving about", "Other screens", "Everywhere", "agent"):  # fmt: skip
            assert wanted in shown
        assert "Focus Next" not in shown
        await press(pilot, "escape")
        assert isinstance(app.screen, Listing)


async def test_help_scrolls_where_it_does_not_fit(box: LocalBox) -> None:
    async with control(box, size=(60, 16), ascii=True) as (app, pilot):
        await press(pilot, "question_mark")
        await shows(app, "Evaluations")
        await press(pilot, *["space"] * 12)
        await shows(app, "evalbox keymap")


async def test_the_palette_does_what_it_says(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, "ctrl+p")
        await shows(app, "evaluation: cancel")
        await press(pilot, *"go to queue", "enter")
        await until(lambda: isinstance(app.screen, QueueScreen))
        await press(pilot, "ctrl+p", *"nosuch")
        await shows(app, "nothing by that name")
        await press(pilot, "enter")
        await until(lambda: isinstance(app.screen, QueueScreen))


async def test_the_palette_has_what_other_screens_can_do(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        await press(pilot, "colon", *"queue: start nothing more")
        await shows(app, "Queue")
        await press(pilot, "enter")
        await until(lambda: isinstance(app.screen, QueueScreen))
        await shows(app, "paused: nothing starts until it is resumed")


async def test_the_palette_goes_to_an_evaluation_by_its_id(box: LocalBox) -> None:
    (one,) = await submit(box, spec("wanted"))
    async with control(box) as (app, pilot):
        await press(pilot, "colon", *one[-8:])
        await shows(app, f"evaluation: go to {one[-8:]}")
        await press(pilot, "enter")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        await shows(app, "wanted")
        await press(pilot, "escape", "colon", *"0000zzz", "enter")
        await shows(app, "no evaluation")


async def test_the_palette_comes_back_from_one_evaluation(box: LocalBox) -> None:
    await submit(box, spec("b"), spec("a"))
    async with control(box) as (app, pilot):
        await until(lambda: len(listing(app).view.rows) == 2)
        await press(pilot, "enter")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        await press(pilot, "colon", *"sort by task")
        await shows(app, "sort: sort by task")
        await press(pilot, "enter")
        await until(lambda: isinstance(app.screen, Listing))
        await shows(app, "TASK↑")


async def test_read_only_has_no_changing_commands(box: LocalBox) -> None:
    async with control(box, read_only=True) as (app, pilot):
        await press(pilot, "colon")
        await shows(app, "app: quit")
        for word in ("start nothing more", "evaluation: cancel", "remove"):
            await press(pilot, *word)
            await shows(app, "nothing by that name")
            await press(pilot, *["backspace"] * len(word))


# --- keys ---


def test_every_binding_can_be_remapped_and_is_explained() -> None:
    for node in nodes():
        for one in node.__dict__.get("BINDINGS", ()):
            assert isinstance(one, Binding), (node, one)
            assert one.id, (node, one)
            assert one.tooltip or one.description, (node, one)
            assert one.tooltip or not one.show, (node, one)


def test_ids_of_bindings_are_unique() -> None:
    where = defaultdict(list)
    for one in known():
        where[one.id].append(one.where)
    assert {name: classes for name, classes in where.items() if len(classes) > 1} == {}


def test_no_two_bindings_of_a_class_have_one_key() -> None:
    for node in nodes():
        keys = [one.key for one in Binding.make_bindings(node.__dict__.get("BINDINGS", ()))]
        assert len(keys) == len(set(keys)), (node, keys)


def test_a_keymap_is_read(tmp_path: Path) -> None:
    file = tmp_path / keymap.NAME
    assert keymap.read(file) == {}
    file.write_text('"evaluation.cancel" = "ctrl+k, K"\n[list]\nfilter = "f"\n')
    assert keymap.read(file) == {"evaluation.cancel": "ctrl+k,K", "list.filter": "f"}


@pytest.mark.parametrize(
    "text", ["nonsense", "a = 1", 'a = ""', 'a = "x,"', 'a = ["x"]', 'a = "x y"', 'a = "\\u001b"']
)
def test_what_is_wrong_with_a_keymap_is_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / keymap.NAME
    file.write_text(text)
    with pytest.raises(ConfigError) as told:
        keymap.read(file)
    assert str(file) in told.value.message
    assert told.value.hint


def test_what_does_not_fit_is_told() -> None:
    assert problems({"list.filter": "f"}) == []
    assert problems({"evaluation.cancle": "x"}) == [
        "no binding evaluation.cancle (is it evaluation.cancel?)"
    ]
    # A key that the list has, and one that the table in it has.
    assert problems({"evaluation.cancel": "s"}) == ["s is both list.sort and evaluation.cancel"]
    assert problems({"evaluation.cancel": "j"}) == ["j is both table.down and evaluation.cancel"]
    # Two that change places are none.
    assert problems({"list.sort": "slash", "list.filter": "s"}) == []


async def test_keys_of_ones_own(box: LocalBox) -> None:
    keys = {"screen.host": "ctrl+h", "list.filter": "f", "no.such": "x", "app.theme": "s"}
    async with control(box, keymap=keys, size=(120, 50)) as (app, pilot):
        await shows(app, "no binding no.such")
        await shows(app, "s is both")
        await press(pilot, "slash")
        assert not listing(app).field.has_focus
        await press(pilot, "f")
        assert listing(app).field.has_focus
        await press(pilot, "escape", "ctrl+h")
        await shows(app, "admission")


# --- what is remembered ---


async def test_the_theme_is_remembered(box: LocalBox, tmp_path: Path) -> None:
    file = tmp_path / "state" / "screen.json"
    assert memory.theme(file) == "dark"
    async with control(box, memory=file) as (app, pilot):
        await press(pilot, "ctrl+t")
        await until(file.exists)
        assert app.theme == "evalbox-light"
    assert memory.theme(file) == "light"
    async with control(box, memory=file, theme=memory.theme(file)) as (app, pilot):
        assert app.theme == "evalbox-light"
        await press(pilot, "ctrl+t")
        await until(lambda: memory.theme(file) == "dark")


@pytest.mark.parametrize("text", ["", "nonsense", "[]", '{"theme": 1}', '{"theme": "x"}', "\xff"])
def test_what_cannot_be_read_is_forgotten(tmp_path: Path, text: str) -> None:
    file = tmp_path / "screen.json"
    file.write_bytes(text.encode("latin-1"))
    assert memory.theme(file) == "dark"
    memory.keep(file / "beneath", "light")
