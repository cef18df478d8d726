"""What the panes of one evaluation are made from: layouts, trees, contents, graphs, timelines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from evalbox.domain.records import ArtifactRecord, OutputPiece
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.tui.glyphs import ASCII, BLOCK
from evalbox.tui.model.content import MOST_BINARY, as_log, hexadecimal, is_binary
from evalbox.tui.model.log import CHARACTERS, CUT, LINE, LINES, Log
from evalbox.tui.model.timeline import Phase, Track
from evalbox.tui.model.tree import tree
from evalbox.tui.screens.evaluation.score import drawn_score
from evalbox.tui.screens.evaluation.timeline import drawn_track
from evalbox.tui.text import cells, height, steady, wrapped
from evalbox.tui.widgets.charts import Graph, dots, drawn, over_time
from evalbox.tui.widgets.laying import Layout
from evalbox.tui.widgets.picture import Line, measure


def fed(*texts: str | bytes, stream: int = 1) -> Log:
    log = Log()
    for text in texts:
        log.feed(OutputPiece(0, stream, 0.0, text if isinstance(text, bytes) else text.encode()))
    return log


def texts(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


# --- text ---


@given(st.text(max_size=200), st.integers(2, 40))
def test_wrapping_loses_nothing_and_fits(text: str, width: int) -> None:
    shown = steady(text)
    stretches = wrapped(shown, width)
    assert "".join(stretches) == shown
    assert all(cell_len(one) <= width for one in stretches)
    assert height(shown, cells(shown), width) == len(stretches)
    assert height(shown, cells(shown), width, exact=False) >= len(stretches)
    assert cells(shown) == cell_len(shown)


@pytest.mark.parametrize("mark", ["\u0301", "\u0e31", "\U000e0301", "\U0001d167"])
def test_of_a_heap_of_marks_two_stay(mark: str) -> None:
    wide = "日" if mark < "\uffff" else "😀"
    kept = 0 if steady(mark) == "" else 2
    assert steady(f"e{mark * 2000}{wide}{mark}") == f"e{mark * kept}{wide}{mark * (kept > 0)}"


def test_what_comes_behind_a_cut_line_costs_nothing_of_it() -> None:
    log = Log()
    for _ in range(40):
        log.feed(OutputPiece(0, 1, 0.0, "日本語".encode() * 400))
    (line,) = log.lines
    assert len(line.text) == LINE
    assert line.text.endswith(CUT)
    log.feed(OutputPiece(0, 1, 0.0, b"more\nnext\n"))
    assert [len(one.text) for one in log.lines] == [LINE, 4]
    assert log.lines[0] is line


# --- the log ---


def test_of_more_than_is_kept_the_end_is_kept() -> None:
    log = fed("x\n" * 3, "y\n" * (LINES + 5), "last")
    assert log.total == LINES + 9
    assert len(log) == LINES
    assert log.first == log.total - LINES + 1
    assert log.lines[-1].text == "last"
    assert log.line(log.total) is log.lines[-1]
    assert log.line(log.first - 1) is None


def test_long_lines_are_bounded_one_by_one_and_together() -> None:
    log = fed(b"a" * (LINE * 3), b"b" * LINE)
    assert len(log) == 1
    assert len(log.lines[0].text) == LINE
    assert log.lines[0].text.endswith(CUT)
    log = fed(*[b"c" * (LINE - 1) + b"\n"] * (2 * CHARACTERS // LINE))
    assert sum(len(line.text) for line in log.lines) <= CHARACTERS
    assert log.total == 2 * CHARACTERS // LINE


def test_streams_are_told_apart_and_lines_are_joined() -> None:
    log = Log()
    for stream, text in ((1, b"on"), (1, b"e\n"), (2, b"err"), (1, b"two\n"), (2, b"or\n")):
        log.feed(OutputPiece(0, stream, 0.0, text))
    assert [(line.stream, line.text) for line in log.lines] == [
        (1, "one"), (2, "err"), (1, "two"), (2, "or"),
    ]  # fmt: skip


@given(st.lists(st.text(max_size=30), max_size=30), st.integers(0, 12))
def test_the_layout_that_grows_is_the_one_made_at_once(parts: list[str], width: int) -> None:
    log, grown = Log(), Layout()
    for part in parts:
        log.feed(OutputPiece(0, 1, 0.0, part.encode("utf-8", "replace")))
        grown.update(log, width)
    whole = Layout()
    whole.update(log, width)
    assert grown.rows == whole.rows
    for row in range(whole.rows):
        number, part = whole.at(row)
        assert grown.at(row) == (number, part)
        assert whole.row_of(number) + part == row


def test_the_layout_tells_how_much_went_at_the_top() -> None:
    log, layout = fed("abcdef\n" * 10), Layout()
    assert layout.update(log, 3) == 0
    assert layout.rows == 20
    log.feed(OutputPiece(0, 1, 0.0, b"x\n" * (LINES - 5)))
    assert layout.update(log, 3) == 10
    assert layout.at(0) == (6, 0)


# --- files ---


def record(path: str, size: int = 1, kind: str = "file", reason: str = "") -> ArtifactRecord:
    return ArtifactRecord(path, size, 0o644, kind, reason)


def test_artifacts_are_a_tree() -> None:
    records = [
        record("out/b", 2), record("out/a/x", 3), record("out/a/y", 0, "skipped", "too large"),
        record("top", 5), record("out/a/deep/er/z", 7),
    ]  # fmt: skip
    leaves = tree(records, ())
    assert [(leaf.depth, leaf.name, leaf.size, leaf.record is None) for leaf in leaves] == [
        (0, "out", 12, True), (1, "a", 10, True), (2, "deep", 7, True), (3, "er", 7, True),
        (4, "z", 7, False), (2, "x", 3, False), (2, "y", 0, False), (1, "b", 2, False),
        (0, "top", 5, False),
    ]  # fmt: skip
    assert leaves[0].files == 3
    assert [leaf.path for leaf in tree(records, {"out/a"})] == ["out", "out/a", "out/b", "top"]
    assert [leaf.path for leaf in tree([record("/abs/file")], ())] == ["/", "/abs", "/abs/file"]


def test_a_file_and_a_directory_of_one_name_are_both_there() -> None:
    leaves = tree([record("a"), record("a/b")], ())
    assert [leaf.path for leaf in leaves] == ["a", "a/b", "a"]


@pytest.mark.parametrize(
    ("data", "binary"),
    [
        (b"", False), (b"hello\n", False), (b"\x1b[31mred\x1b[0m\n", False),
        ("日本語".encode()[:-1], False), (b"\x00", True), (b"\x7fELF\x02\x01\x01", True),
        (bytes(range(128, 256)), True), ("grüße".encode("latin-1") * 40, True),
    ],
)  # fmt: skip
def test_what_is_text(data: bytes, binary: bool) -> None:
    assert is_binary(data) is binary


def test_contents() -> None:
    log, whole = as_log(b"one\ntwo\n")
    assert whole
    assert [line.text for line in log.lines] == ["one", "two"]
    log, whole = as_log(b"x\n" * (LINES * 2))
    assert not whole
    assert log.first == 1
    log, whole = as_log(b"\0" * (MOST_BINARY + 1))
    assert not whole
    assert len(log) == MOST_BINARY // 16
    assert list(hexadecimal(b"AB\x00\xff")) == [
        "00000000  41 42 00 ff                                       AB.."
    ]


# --- pictures ---


def graph(points: list[tuple[float, float]], limit: float) -> Graph:
    return Graph("memory", "words", points, limit, lambda value: f"{value:g}")


def test_a_graph_has_its_limit_as_a_line() -> None:
    lines = texts(drawn(graph([(0, 50), (1, 100)], 100), BLOCK, width=40, rows=4))
    assert "limit 100" in lines[1]
    assert "above" not in lines[1]
    assert lines[2].rstrip().endswith("█")
    assert len(lines) == 6


def test_what_goes_over_its_limit_is_seen_above_the_line() -> None:
    lines = texts(drawn(graph([(0, 50), (1, 400)], 100), BLOCK, width=40, rows=4))
    assert [place for place, line in enumerate(lines) if "limit 100" in line] == [4]
    assert lines[2].rstrip().endswith("█")


def test_what_stays_far_below_its_limit_has_a_scale_of_its_own() -> None:
    lines = texts(drawn(graph([(0, 1), (1, 2)], 1000), BLOCK, width=40, rows=2))
    assert "limit 1000 is above" in lines[1]
    assert any("█" in line for line in lines[2:])


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e12)), max_size=50).map(sorted),
    st.floats(0.01, 1e12),
    st.integers(10, 120),
    st.integers(1, 8),
)
def test_graphs_of_anything_fit(
    points: list[tuple[float, float]], limit: float, width: int, rows: int
) -> None:
    for glyphs, dotted in ((BLOCK, False), (BLOCK, True), (ASCII, False)):
        lines = drawn(graph(points, limit), glyphs, width=width, rows=rows, dotted=dotted)
        assert len(lines) == rows + 2
        assert all(measure(line) <= max(width, 20) for line in lines[1:])


def test_dots_are_filled_from_below() -> None:
    assert dots([4, 4], 2, 4) == "⠀⣿"
    assert dots([4, 4, 0, 4, 1, 1], 3, 4) == "⣿⢸⣀"
    assert dots([0.001], 1, 4) == "⢀"


def test_values_over_time_keep_their_places() -> None:
    assert over_time([(0, 1), (1, 9), (10, 2)], 10) == [1, 9, 9, 9, 9, 9, 9, 9, 9, 2]
    assert over_time([], 5) == []
    assert over_time([(5, 3)], 2) == [3, 3]


def test_a_long_wait_leaves_room_for_what_was_done() -> None:
    phases = (
        Phase(State.QUEUED, 0, 36_000),
        Phase(State.STARTING, 36_000, 36_001),
        Phase(State.RUNNING, 36_001, 36_010),
    )
    lines = texts(drawn_track(Track(1, phases), None, BLOCK, 40_000, 100))
    assert lines[1].count(BLOCK.phases[State.QUEUED]) < 25
    assert "//" in lines[1]
    assert lines[3].count(BLOCK.phases[State.RUNNING]) > 40
    assert "waiting is drawn shorter" in lines[-1]


@given(
    st.lists(st.floats(0, 1e5), min_size=1, max_size=4), st.integers(60, 200), st.booleans()
)  # fmt: skip
def test_timelines_fit(lengths: list[float], width: int, open_end: bool) -> None:
    states = [State.QUEUED, State.STARTING, State.RUNNING, State.SCORING]
    at, phases = 1000.0, []
    for place, (state, length) in enumerate(zip(states, lengths, strict=False)):
        last = open_end and place == len(lengths) - 1
        phases.append(Phase(state, at, None if last else at + length))
        at += length
    for line in drawn_track(Track(1, tuple(phases)), None, ASCII, at, width):
        assert measure(line) <= width + 30


# --- scores ---


def test_scores_in_words() -> None:
    checks = (
        ScoreCheck("compiles", True), ScoreCheck("speed", False, 0.25, "too slow [red]x"),
        ScoreCheck("style"),
    )  # fmt: skip
    lines = "\n".join(texts(drawn_score(Score(ScoreKind.NUMBER, 0.75, checks=checks), BLOCK, 80)))
    assert "0.75" in lines
    assert "1 of 2 passed" in lines
    assert "✗ speed" in lines
    assert "too slow [red]x" in lines
    invalid = Score(ScoreKind.INVALID, reason="not finite", raw="NaN\x1b[2J")
    lines = "\n".join(texts(drawn_score(invalid, ASCII, 80)))
    assert "invalid" in lines
    assert "not finite" in lines
    assert "NaN^[[2J" in lines
    assert "manual" in "\n".join(texts(drawn_score(Score(ScoreKind.MANUAL), BLOCK, 80)))
