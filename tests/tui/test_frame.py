"""What the terminal shows is what Textual would have drawn, whatever it showed before."""

from __future__ import annotations

import pyte
from hypothesis import given
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from evalbox.tui.frame import Frame

WIDTH, HEIGHT = 24, 5
SIZE = (WIDTH, HEIGHT)
STYLES = [
    Style.parse(text) for text in ("#d0d0d0 on #121212", "bold #5f87ff on #121212", "reverse", "")
]

segments = st.lists(
    st.tuples(st.text(alphabet="ab e\u0301é字-", max_size=6), st.sampled_from(STYLES)), max_size=6
)
# The last column is a space: the terminal of the tests wraps before a mark that combines there.
lines = segments.map(
    lambda parts: (
        Strip([Segment(text, style) for text, style in parts])
        .adjust_cell_length(WIDTH - 1, STYLES[0])
        .adjust_cell_length(WIDTH, STYLES[0])
    )
)
screens = st.lists(lines, min_size=HEIGHT, max_size=HEIGHT)


def whole(strips: list[Strip]) -> LayoutUpdate:
    return LayoutUpdate([[strip] for strip in strips], Region(0, 0, *SIZE))


class Terminal:
    def __init__(self) -> None:
        self.screen = pyte.Screen(*SIZE)
        self._stream = pyte.Stream(self.screen)

    def shows(self, text: str) -> list[list[tuple[object, ...]]]:
        self._stream.feed(text)
        # Of what is drawn in reverse, one terminal has the colours and another the word.
        return [[tuple(self.screen.buffer[y][x]) for x in range(WIDTH)] for y in range(HEIGHT)]


def drawn(frame: Frame, update: LayoutUpdate | ChopsUpdate) -> str:
    return frame.lay(update, SIZE, ColorSystem.EIGHT_BIT)


@given(st.lists(screens, min_size=1, max_size=4))
def test_a_frame_after_others_looks_as_if_it_were_the_first(
    frames: list[list[Strip]],
) -> None:
    terminal, frame = Terminal(), Frame()
    for strips in frames:
        shown = terminal.shows(drawn(frame, whole(strips)))
    assert shown == Terminal().shows(drawn(Frame(), whole(frames[-1])))


@given(screens)
def test_what_is_shown_is_not_sent_again(strips: list[Strip]) -> None:
    frame = Frame()
    drawn(frame, whole(strips))
    assert drawn(frame, whole(strips)) == ""
    frame.forget()
    assert drawn(frame, whole(strips)) != ""


ascii_lines = st.text(alphabet="abc ", min_size=WIDTH, max_size=WIDTH).map(
    lambda text: Strip([Segment(text, STYLES[0])])
)


@given(
    st.lists(ascii_lines, min_size=HEIGHT, max_size=HEIGHT),
    ascii_lines,
    st.integers(0, HEIGHT - 1),
    st.integers(0, WIDTH - 2),
    st.integers(1, WIDTH),
)
def test_a_part_of_a_line_is_all_that_changes(
    strips: list[Strip], line: Strip, y: int, begin: int, size: int
) -> None:
    end = min(WIDTH, begin + size)
    terminal, frame = Terminal(), Frame()
    terminal.shows(drawn(frame, whole(strips)))
    chops = [{0: line if row == y else None} for row in range(HEIGHT)]
    update = ChopsUpdate(chops, [(y, begin, end)], [[WIDTH]] * HEIGHT)
    shown = terminal.shows(drawn(frame, update))
    text = "".join(str(cell[0]) for cell in shown[y])
    assert text == strips[y].text[:begin] + line.text[begin:end] + strips[y].text[end:]


def test_one_cell_costs_a_few_bytes() -> None:
    frame = Frame()
    strips = [Strip([Segment("x" * WIDTH, STYLES[0])])] * HEIGHT
    drawn(frame, whole(strips))
    changed = Strip([Segment("x" * 10 + "y" + "x" * 13, STYLES[0])])
    sent = drawn(frame, whole([*strips[:2], changed, *strips[3:]]))
    assert "y" in sent
    assert len(sent) < 40


def test_another_size_is_drawn_whole() -> None:
    frame = Frame()
    strips = [Strip([Segment("x" * WIDTH, STYLES[0])])] * HEIGHT
    first = drawn(frame, whole(strips))
    assert drawn(frame, whole(strips)) == ""
    assert frame.lay(whole(strips), (WIDTH + 1, HEIGHT), ColorSystem.EIGHT_BIT) == first
