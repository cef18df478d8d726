"""The form of a new evaluation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from api_support import reached
from conftest import IMAGE, control, shows, text_of, until
from textual import events
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from evalbox.domain.evaluation import Evaluation, EvaluationSpec, Priority
from evalbox.domain.limits import MIB
from evalbox.domain.records import EvaluationFilter
from evalbox.errors import StoreFull
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.form.draft import Draft, Mode
from evalbox.tui.form.sheet import Sheet
from evalbox.tui.screens.evaluation import EvaluationScreen
from evalbox.tui.screens.new import NewEvaluation
from evalbox.tui.screens.whole import Whole

SCRIPT = "print(1)"


async def begun(app: MissionControl, pilot: Pilot[Any]) -> NewEvaluation:
    await pilot.press("n")
    await until(lambda: isinstance(app.screen, NewEvaluation) and app.screen._ready)
    screen = app.screen
    assert isinstance(screen, NewEvaluation)
    await looked(screen)
    return screen


async def looked(screen: NewEvaluation) -> None:
    """All that is typed has been looked at."""
    await until(
        lambda: all(one.is_finished for one in screen.workers if one.group in ("check", "open"))
    )


def fill(screen: NewEvaluation, **values: str) -> None:
    for option, value in values.items():
        screen.sheet.entries[option].fill(value)


async def typed(pilot: Pilot[Any], screen: NewEvaluation, text: str) -> None:
    await pilot.press(*("enter" if one == "\n" else one for one in text))
    await settled(pilot, screen)


async def settled(pilot: Pilot[Any], screen: NewEvaluation) -> None:
    await pilot.pause()
    await looked(screen)
    await pilot.pause()


async def paste(pilot: Pilot[Any], widget: Widget, text: str) -> None:
    widget.focus()
    await until(lambda: widget.has_focus)
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


async def only(box: LocalBox) -> EvaluationSpec:
    (item,) = await box.list(EvaluationFilter())
    return item.spec


def drawn(app: MissionControl) -> str:
    """Every character that goes to the terminal."""
    strips = app.screen._compositor.render_strips()
    return "".join(segment.text for strip in strips for segment in strip)


async def test_a_script_is_typed_and_submitted(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await typed(pilot, screen, SCRIPT)
        assert "not ready: what is run" in text_of(app)
        assert "choose one above" in text_of(app)
        screen.sheet.language.fill("py")
        fill(screen, image=IMAGE, engine="fake", memory="64m", label="a=1 b='two words'",
             priority="high", env="K=v")  # fmt: skip
        await settled(pilot, screen)
        assert "ready: 1 evaluation" in text_of(app)
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        spec = await only(box)
    assert spec.command == ("python3", "/home/agent/stdin.py")
    assert (spec.name, spec.limits.memory, spec.priority) == ("script", 64 * MIB, Priority.HIGH)
    assert spec.labels == {"a": "1", "b": "two words"}
    assert list(spec.env) == ["K"]
    assert [file.size for file in spec.inputs] == [len(SCRIPT) + 1]


async def test_a_shebang_tells_the_language(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await typed(pilot, screen, "#!/bin/sh\necho\n")
        assert "ready" in text_of(app)
        assert screen.draft.tongue == "shell"
        assert "shell" in text_of(app)


async def test_what_is_wrong_is_told_where_it_is(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await typed(pilot, screen, SCRIPT)
        screen.sheet.language.fill("py")
        fill(screen, memory="much", retries="-1", label="x 'y")
        await settled(pilot, screen)
        told = {name: one.problem for name, one in screen.sheet.entries.items()}
        assert told["memory"] == "'much' is not a size: write a size as 512m or 1.5g"
        assert told["retries"].startswith("-1 is out of range")
        assert told["label"] == "a quote is not closed"
        assert "not ready: memory, retries, labels" in text_of(app)
        assert "'much' is not a size" in text_of(app)
        await pilot.press("ctrl+s")
        await settled(pilot, screen)
        assert app.screen is screen
        assert screen.focused is screen.sheet.entries["memory"]
        assert await box.list(EvaluationFilter()) == []
        fill(screen, memory="", retries="", label="x=y")
        await settled(pilot, screen)
        assert "ready: 1 evaluation" in text_of(app)
        assert not screen.sheet.entries["memory"].problem


async def test_what_confines_nothing_is_warned_of(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        fill(screen, engine="process")
        await settled(pilot, screen)
        assert screen.sheet.entries["engine"].problem.startswith("confines nothing")


async def test_a_command_so_many_times(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        screen.sheet.mode.focus()
        await pilot.press("right", "down")
        await typed(pilot, screen, "echo 'a b' c")
        fill(screen, image=IMAGE, engine="fake", repeat="3", batch="many")
        await settled(pilot, screen)
        assert "ready: 3 evaluations" in text_of(app)
        await pilot.press("ctrl+s")
        await shows(app, "3 evaluations queued")
        assert app.screen.query("Table")
        found = await box.list(EvaluationFilter(batch="many"))
    assert [item.spec.command for item in found] == [("echo", "a b", "c")] * 3


async def test_a_task_is_picked(box: LocalBox, tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    file = tmp_path / "tasks" / "zebra.py"
    file.write_text('"""Paints stripes."""\nprint(1)\n')
    async with control(box, task_dirs=(tmp_path / "tasks",)) as (app, pilot):
        screen = await begun(app, pilot)
        await pilot.press("ctrl+o")
        await shows(app, "zebra.py")
        await pilot.press(*"stripes", "enter")
        await until(lambda: app.screen is screen and screen.draft.path == str(file))
        await settled(pilot, screen)
        assert "Paints stripes" in text_of(app)
        assert "ready" in text_of(app)
        assert screen.draft.request().path == str(file)
        await typed(pilot, screen, "#")
        assert screen.draft.request().path == "-"
        assert screen.draft.request().name == "zebra.py"
        assert "zebra.py, changed" in text_of(app)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("long.py", b"x = 1\n" * 20_000),
        ("dos.py", b"x = 1\r\n"),
        ("form.py", b"x = 1\f\n"),
        ("latin.py", b"# coding: latin-1\nx = '\xe9'\n"),
    ],
)
async def test_what_cannot_be_typed_on_is_run_as_it_is(
    name: str, content: bytes, box: LocalBox, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    async with control(box) as (app, pilot):
        app.push_screen(screen := NewEvaluation(app.context, file))
        await until(lambda: screen.draft.mode is Mode.FILE)
        fill(screen, image=IMAGE, engine="fake")
        await settled(pilot, screen)
        assert "is run as it is" in text_of(app)
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        spec = await only(box)
    assert spec.name == name
    assert [file.size for file in spec.inputs] == [len(content)]


async def test_a_path_of_nothing_is_told(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await pilot.press("ctrl+o")
        await pilot.press(*"/no/such.py", "enter")
        await shows(app, "no such file")
        assert app.screen is screen


async def test_the_equal_command_line(box: LocalBox, monkeypatch: pytest.MonkeyPatch) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await pilot.press("f2")
        await shows(app, "there is no script yet")
        await typed(pilot, screen, SCRIPT)
        screen.sheet.language.fill("py")
        fill(screen, name="it's", cpus="2")
        await settled(pilot, screen)
        copied: list[str] = []
        monkeypatch.setattr(screen, "copy", copied.append)
        await pilot.press("f2")
        await until(lambda: isinstance(app.screen, Whole))
        await shows(app, "--name 'it'")
    assert copied == [
        f"evalbox submit --lang py --name 'it'\"'\"'s' --cpus 2 - <<'EOF'\n{SCRIPT}\nEOF"
    ]


async def test_a_draft_is_kept_or_discarded(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await pilot.press("escape")
        screen.query_one(Sheet).mode.focus()
        await pilot.press("escape")
        await until(lambda: app.screen is not screen)

        screen = await begun(app, pilot)
        await typed(pilot, screen, "x = 1")
        fill(screen, cpus="2", network="internet")
        screen.sheet.arguments.fill("-v")
        await settled(pilot, screen)
        screen.sheet.mode.focus()
        await pilot.press("escape")
        await shows(app, "is not submitted")
        await pilot.press("escape")
        assert app.screen is screen
        await pilot.press("escape", "k")
        await until(lambda: app.screen is not screen)

        screen = await begun(app, pilot)
        draft = screen.draft
        assert (draft.text, draft.arguments) == ("x = 1", "-v")
        assert (draft.values["cpus"], draft.values["network"]) == ("2", "internet")
        assert screen.sheet.editor.text == "x = 1"
        screen.sheet.mode.focus()
        await pilot.press("escape", "d")
        await until(lambda: app.screen is not screen)
        screen = await begun(app, pilot)
        assert screen.draft == Draft(values=screen.draft.values)
        assert not any(screen.draft.values.values())


async def test_what_the_box_refuses_is_told_and_kept(
    box: LocalBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        raise StoreFull("no space is left", hint="make room")

    monkeypatch.setattr(box, "submit", full)
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await typed(pilot, screen, "#!/bin/sh\n")
        await settled(pilot, screen)
        await pilot.press("ctrl+s")
        await shows(app, "no space is left")
        await until(lambda: not screen._sending)
        assert app.screen is screen
        assert screen.draft.text == "#!/bin/sh\n"


async def test_who_only_looks_submits_nothing(box: LocalBox) -> None:
    async with control(box, read_only=True) as (app, pilot):
        before = app.screen
        await pilot.press("n")
        await pilot.pause()
        assert app.screen is before


@pytest.mark.parametrize("ascii_only", [False, True])
async def test_hostile_pastes_move_no_terminal(box: LocalBox, ascii_only: bool) -> None:
    nasty = "a\x1b]0;title\x07\x00\x9b31m\u202eb\u2066 \U0001f468\u200d\U0001f469 [bold]x[/]\t"
    async with control(box, ascii=ascii_only) as (app, pilot):
        screen = await begun(app, pilot)
        await paste(pilot, screen.sheet.editor, f"{nasty}\n{'z' * 10_000}\n")
        await settled(pilot, screen)
        assert screen.draft.text == f"{nasty}\n{'z' * 10_000}\n"
        assert "[bold]x[/]" in text_of(app)
        assert "is a binary file" in text_of(app)
        for entry in screen.sheet.entries.values():
            if isinstance(entry, Input):
                await paste(pilot, entry, f"{nasty}\nsecond\n")
        await settled(pilot, screen)
        assert screen.sheet.entries["name"].said.startswith("a]0;title31mb")
        for _ in range(3):
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2066\u200d]", drawn(app))
            await pilot.press("pagedown")
            await pilot.pause()


async def test_a_hundred_thousand_lines_are_not_taken(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        await paste(pilot, screen.sheet.editor, "x = 1\n" * 100_000)
        await shows(app, "too long to be typed on")
        assert screen.draft.text == ""
        await paste(pilot, screen.sheet.editor, "x = 1\n" * 9_000)
        await until(lambda: len(screen.draft.text) == 54_000)


async def test_a_file_of_a_hostile_name(box: LocalBox, tmp_path: Path) -> None:
    file = tmp_path / "\x1b[2J\u202e[red].py"
    file.write_text(SCRIPT)
    async with control(box) as (app, pilot):
        app.push_screen(screen := NewEvaluation(app.context, file))
        await until(lambda: bool(screen.draft.path))
        await settled(pilot, screen)
        assert not re.search("[\x1b\u202e]", drawn(app))
        await typed(pilot, screen, "#")
        assert screen.draft.request().name == "script"


@pytest.mark.parametrize("size", [(80, 24), (60, 16), (120, 36), (200, 50)])
async def test_every_field_is_reached_by_tab(box: LocalBox, size: tuple[int, int]) -> None:
    async with control(box, size=size) as (app, pilot):
        screen = await begun(app, pilot)
        await pilot.press("escape")
        seen = set()
        for _ in range(len(screen.sheet.entries) + 6):
            await pilot.pause()
            focused = screen.focused
            assert focused is not None
            seen.add(focused.id)
            visible = screen.find_widget(focused)
            assert visible.visible_region.area, f"{focused.id} is not seen"
            await pilot.press("tab" if focused.id != "code" else "escape")
        assert seen >= set(screen.sheet.entries) | {"code", "mode", "language", "arguments"}


async def test_wide_terminals_show_script_and_fields_beside_each_other(box: LocalBox) -> None:
    async with control(box, size=(200, 50)) as (app, pilot):
        screen = await begun(app, pilot)
        editor, last = screen.sheet.editor.region, screen.sheet.entries["after"].region
        assert editor.right <= last.x
        assert editor.width > 100
        assert last.bottom <= 50


@pytest.mark.parametrize("options", [{"colour": False}, {"theme": "light"}])
async def test_it_draws_in_every_look(box: LocalBox, options: dict[str, Any]) -> None:
    async with control(box, **options) as (app, pilot):
        screen = await begun(app, pilot)
        await typed(pilot, screen, "def f():\nreturn 'x'")
        assert "def f():" in text_of(app)
        assert "    return 'x'" in text_of(app)
        if "theme" in options:
            await pilot.press("ctrl+t")
            await pilot.pause()
            assert screen.sheet.editor.theme == app.theme


async def test_words_of_a_program_have_tones(box: LocalBox) -> None:
    async with control(box) as (app, pilot):
        screen = await begun(app, pilot)
        screen.sheet.language.fill("py")
        await typed(pilot, screen, "def f(): pass")
        line = screen.sheet.editor.get_line(0)
        assert [line.plain[span.start : span.end] for span in line.spans] == ["def", "f", "pass"]
        await pilot.press("home", "#")
        await settled(pilot, screen)
        assert len(screen.sheet.editor.get_line(0).spans) == 1
        await pilot.press("ctrl+z")
        await settled(pilot, screen)
        assert len(screen.sheet.editor.get_line(0).spans) == 3


@pytest.mark.parametrize("way", ["socket", "tcp"])
async def test_a_box_elsewhere_has_its_own_defaults(way: str, tmp_path: Path) -> None:
    async with reached(way, tmp_path / "box") as found, control(found.box) as (app, pilot):
        screen = await begun(app, pilot)
        await typed(pilot, screen, "#!/bin/sh\necho")
        assert "the box's default" in text_of(app)
        await pilot.press("ctrl+s")
        await until(lambda: isinstance(app.screen, EvaluationScreen))
        spec = await only(found.served.box)
    assert (spec.engine, spec.image) == (
        found.served.settings.engine,
        found.served.settings.image,
    )
