"""The files that an evaluation left: looked through, read, saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from conftest import in_state, shows, spec, submit, text_of, until
from rich.cells import cell_len
from test_evaluation_panes import ENDED, looking, press, screen_of
from textual.widgets import Input

from evalbox.domain.limits import Limits
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.screens.evaluation.files import Files
from evalbox.tui.screens.prompt import Prompt


async def leaving(box: LocalBox, *files: tuple[str, str], **other: Any) -> str:
    """An evaluation that leaves these files beneath ``out``."""
    words: list[str] = []
    for path, text in files:
        words += ["artifact", f"out/{path}", text, ";"]
    (one,) = await submit(box, spec("leaves", *words, artifacts=("out",), **other))
    await in_state(box, one, *ENDED)
    return one


def files_of(app: MissionControl) -> Files:
    pane = screen_of(app).pane
    assert isinstance(pane, Files)
    return pane


async def answer(app: MissionControl, press_enter: Any, text: str) -> None:
    await until(lambda: isinstance(app.screen, Prompt))
    app.screen.query_one(Input).value = text
    await press_enter


async def test_they_are_a_tree_with_sizes_that_opens_and_closes(box: LocalBox) -> None:
    one = await leaving(box, ("a/x.txt", "hello"), ("a/deep/y.txt", "there"), ("b.txt", "!"))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "3 files  11 B")
        await shows(app, "▾ out/")
        await shows(app, "y.txt")
        await press(pilot, "j", "enter")
        await shows(app, "▸ a/")
        await until(lambda: "y.txt" not in text_of(app))
        await press(pilot, "enter")
        await shows(app, "y.txt")


async def test_a_text_is_read_and_searched(box: LocalBox) -> None:
    text = "\n".join(f"line {place}" for place in range(200))
    one = await leaving(box, ("notes.txt", text))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "notes.txt")
        await press(pilot, "j", "enter")
        await shows(app, "200 lines")
        await shows(app, "line 0 ")
        assert "line 199" not in text_of(app)
        await press(pilot, "slash", *"line 150", "enter")
        await shows(app, "1 line found")
        await press(pilot, "escape", "G")
        await shows(app, "line 199")
        await press(pilot, "escape")
        await shows(app, "▾ out/")
        assert files_of(app).table.has_focus
        await press(pilot, "escape")


async def test_bytes_are_told_as_bytes(box: LocalBox) -> None:
    one = await leaving(box, ("program", "\x7fELF\x02\x01\x01\x03" * 2000))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "program")
        await press(pilot, "j", "enter")
        await shows(app, "no text: its bytes  the beginning of 15.6 KiB")
        await shows(app, "00000000  7f 45 4c 46 02 01 01 03  7f 45 4c 46 02 01 01 03  .ELF")


async def test_of_a_large_file_the_beginning_is_shown(box: LocalBox) -> None:
    one = await leaving(box, ("large", "x\n" * 12_000))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "23.4 KiB")
        await press(pilot, "j", "enter")
        await shows(app, "the beginning of 23.4 KiB")


async def test_what_was_not_kept_is_told_with_its_reason(box: LocalBox) -> None:
    one = await leaving(box, ("big", "y" * 5000), ("ok", "x"), limits=Limits(artifacts=1024))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "1 not kept")
        await shows(app, "it goes beyond the limit")
        await press(pilot, "j", "enter")
        await shows(app, "it was not kept")


async def test_hostile_files_are_inert(box: LocalBox) -> None:
    hostile = (
        "\x1b[2J\x1b]0;owned\x07[red]markup[/red] \u202e rtl 👩\u200d👩\u200d👧\r\n" + "y" * 10_000
    )
    one = await leaving(box, ("[red]x[b] \u202e日本" + "n" * 100, hostile))
    async with looking(box, one, size=(80, 24)) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "[red]x[b]")
        await press(pilot, "j", "enter")
        await shows(app, "^[[2J^[]0;owned^G[red]markup[/red]")
        shown = text_of(app)
        assert not {"\x1b", "\u202e", "\u200d"} & set(shown)
        assert {cell_len(line) for line in shown.split("\n")} == {80}


async def test_one_is_saved_and_all_are(box: LocalBox, tmp_path: Path) -> None:
    one = await leaving(box, ("a/x.txt", "hello"), ("b.txt", "there"))
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "x.txt")
        await press(pilot, "j", "j", "S")
        await answer(app, pilot.press("enter"), str(tmp_path / "one.txt"))
        await shows(app, "5 B in")
        assert (tmp_path / "one.txt").read_text() == "hello"
        await press(pilot, "A")
        await answer(app, pilot.press("enter"), str(tmp_path / "all"))
        await shows(app, "2 files, 10 B, in")
        assert (tmp_path / "all" / "out" / "a" / "x.txt").read_text() == "hello"
        assert (tmp_path / "all" / "out" / "b.txt").read_text() == "there"


async def test_read_only_saves_too(box: LocalBox, tmp_path: Path) -> None:
    """Nothing changes in the box by it."""
    one = await leaving(box, ("x.txt", "hello"))
    async with looking(box, one, read_only=True) as (app, pilot):
        await press(pilot, "6")
        await shows(app, "x.txt")
        await press(pilot, "j", "S")
        await answer(app, pilot.press("enter"), str(tmp_path / "x"))
        await shows(app, "5 B in")


async def test_nothing_to_save_says_so(box: LocalBox) -> None:
    one = await leaving(box)
    async with looking(box, one) as (app, pilot):
        await press(pilot, "6", "S")
        await shows(app, "nothing to save")
