"""Colours that survive 256, screens that survive what a job or a user may write."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from conftest import control, in_state, shows, spec, submit, text_of
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem
from rich.style import Style

from evalbox.domain.state import State
from evalbox.service.local import LocalBox
from evalbox.tui.app import MissionControl
from evalbox.tui.glyphs import ASCII, BLOCK, bar, resampled, sparkline
from evalbox.tui.text import fit, steady, window
from evalbox.tui.theme import DARK, LIGHT, PALETTES, Surface, Tone

HOSTILE = {
    "escapes": "\x1b[2J\x1b]0;owned\x07",
    "markup": "[bold red]not[/bold red] [link=http://evil]me[/]",
    "direction": "abc\u202egnp.exe",
    "family": "👩‍👩‍👧‍👦 family",
    "skin": "👍🏽👍🏿",
    "flag": "🇩🇪🇫🇷",
    "heart": "❤️ and ☎️",
    "heap": "z" + "\u0300" * 50 + "algo",
    "wide": "日本語の名前" * 20,
    "invisible": "a\u200b\u200c\u200d\ufeffb",
    "lines": "one\ntwo\rthree\tfour",
    "long": "x" * 10_000,
    "tags": "\U000e0041\U000e0042",
}


def exact(name: str) -> bool:
    """Whether a colour is one of the 256, so that a terminal which knows no more shows it."""
    colour = Color.parse(name)
    shown = colour.downgrade(ColorSystem.EIGHT_BIT).get_truecolor()
    return all(
        abs(one - other) <= 2 for one, other in zip(shown, colour.get_truecolor(), strict=True)
    )


@pytest.mark.parametrize("colours", [DARK, LIGHT], ids=["dark", "light"])
def test_every_colour_is_one_of_the_256(colours: object) -> None:
    wrong = [
        item.name
        for item in fields(colours)
        if not exact(getattr(colours, item.name))  # type: ignore[arg-type]
    ]
    assert not wrong


@pytest.mark.parametrize("name", list(PALETTES))
def test_every_tone_has_a_style_on_every_surface(name: str) -> None:
    for tone in Tone:
        for surface in Surface:
            assert isinstance(PALETTES[name].style(tone, surface), Style)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("width", [1, 2, 7, 40])
def test_hostile_text_fills_exactly_its_cells(text: str, width: int) -> None:
    shown = fit(text, width)
    assert cell_len(shown) == width
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "\u202e" not in shown
    assert "\u200d" not in shown


@given(st.text(max_size=80), st.integers(1, 60), st.integers(0, 90))
def test_any_text_fills_exactly_its_cells(text: str, width: int, start: int) -> None:
    assert cell_len(fit(text, width)) == width
    assert cell_len(window(steady(text), start, width)) == width


@pytest.mark.parametrize("glyphs", [BLOCK, ASCII], ids=["block", "ascii"])
def test_pictures(glyphs: object) -> None:
    assert sparkline([0, 50, 100], 5, 100, BLOCK) == "   ▄█"
    assert sparkline([0.001], 1, 100, BLOCK) == "▁"
    assert bar(0.5, 4, BLOCK) == ("██", "░░")
    assert bar(0.001, 4, BLOCK) == ("█", "░░░")
    assert resampled([1.0, 9.0, 2.0, 3.0], 2) == [9.0, 3.0]
    assert len(resampled([1.0] * 1000, 33)) == 33


def colours_of(app: MissionControl) -> set[str]:
    found = set()
    for strip in app.screen._compositor.render_strips():
        for _, style, _ in strip:
            assert style is not None
            for colour in (style.color, style.bgcolor):
                if colour is not None and not colour.is_default:
                    found.add(colour.get_truecolor().hex)
    return found


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_every_screen_uses_only_colours_of_the_256(box: LocalBox, scheme: str) -> None:
    (one, *_) = await submit(
        box, spec("done", "echo", "hello"), spec("runs", "sleep", "60"),
        *[spec(f"fails {place}", "false") for place in range(40)],
    )  # fmt: skip
    await in_state(box, one, State.COMPLETED)
    async with control(box, theme=scheme) as (app, pilot):
        keys = "slash a escape space x escape question_mark escape ctrl+p escape 2 3 1 enter "
        keys += "1 3 4 5 6 7 8 9"
        for key in keys.split():
            await pilot.press(key)
            await pilot.pause()
            wrong = [colour for colour in colours_of(app) if not exact(colour)]
            assert not wrong, key


async def test_hostile_names_are_inert_on_every_screen(box: LocalBox) -> None:
    names = [
        steady(text)[:150] if text.isprintable() is False else text for text in HOSTILE.values()
    ]
    await box.pause()
    await submit(box, *[spec(name[:200], batch="[red]b[/]") for name in names if name])
    async with control(box, size=(100, 30)) as (app, pilot):
        for key in ("2", "3", "1", "enter", "4"):
            await pilot.press(key)
            await pilot.pause()
            for line in text_of(app).split("\n"):
                assert cell_len(line) == 100
                assert "\x1b" not in line
        await pilot.press("escape")
        await shows(app, "[bold red]not")


async def test_ascii_draws_with_nothing_else(box: LocalBox) -> None:
    (one, *_) = await submit(
        box, spec("done", "echo", "hello"), *[spec(f"f{place}", "false") for place in range(60)]
    )
    await in_state(box, one, State.COMPLETED)
    async with control(box, ascii=True) as (app, pilot):
        for key in ("space", "x", "escape", "question_mark", "escape", "2", "3", "1", "enter"):
            await pilot.press(key)
            await pilot.pause()
            odd = {character for character in text_of(app) if ord(character) > 126}
            assert not odd, key


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50), (60, 16)])
async def test_every_size_down_to_60_by_16(
    box: LocalBox, size: tuple[int, int], tmp_path: Path
) -> None:
    (one, *_) = await submit(box, spec("done", "echo", "hello"), spec("runs", "sleep", "60"))
    await in_state(box, one, State.COMPLETED)
    async with control(box, size=size) as (app, pilot):
        await shows(app, "done")
        for key in ("2", "3", "1", "enter"):
            await pilot.press(key)
            await pilot.pause()
            lines = text_of(app).split("\n")
            assert len(lines) == size[1]
            assert {cell_len(line) for line in lines} == {size[0]}


async def test_too_small_says_so_and_comes_back(box: LocalBox) -> None:
    async with control(box, size=(59, 20)) as (app, pilot):
        await shows(app, "too small")
        await pilot.resize_terminal(80, 15)
        await shows(app, "It has 80x15, 60x16 is needed")
        await pilot.resize_terminal(80, 24)
        await shows(app, "Nothing has been submitted yet")
