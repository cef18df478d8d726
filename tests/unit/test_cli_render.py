"""Tables, verdicts, and where text goes."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from evalbox.cli import render
from evalbox.cli.console import Console
from evalbox.cli.listing import listing
from evalbox.cli.logs import _Printer, _Tail
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.paths import beneath
from evalbox.domain.records import OutputPiece
from evalbox.domain.state import State
from evalbox.errors import AmbiguousId, EvalboxError, InvalidInput

NOW = 1_700_000_000.0
DONE = Evaluation(
    id="01m81hcz1g0000k3f9a2c1",
    spec=EvaluationSpec(name="x.py", command=("true",), image="i"),
    state=State.COMPLETED,
    created_at=NOW - 90,
    updated_at=NOW,
    attempts=1,
    outcome=Outcome.OK,
    exit_code=0,
    started_at=NOW - 10.8,
    finished_at=NOW - 10,
)
ATTEMPT = Attempt(
    evaluation_id=DONE.id, number=1, claimed_at=NOW - 11, engine="gvisor", started_at=NOW - 10.8,
    finished_at=NOW - 10, usage=Usage(cpu_seconds=0.104, memory_peak=12 << 20),
)  # fmt: skip


class Terminal(io.TextIOWrapper):
    def __init__(self, *, terminal: bool = True, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding, write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    @property
    def seen(self) -> bytes:
        self.flush()
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue()


def console(monkeypatch: pytest.MonkeyPatch, *, terminal: bool = False, **options: bool) -> Console:
    monkeypatch.setattr(sys, "stdout", Terminal(terminal=terminal))
    monkeypatch.setattr(sys, "stderr", Terminal(terminal=terminal))
    return Console(environ={}, **options)


def out(made: Console) -> bytes:
    assert isinstance(made.out, Terminal)
    return made.out.seen


def err(made: Console) -> bytes:
    assert isinstance(made.err, Terminal)
    return made.err.seen


def test_a_table_lines_up(monkeypatch: pytest.MonkeyPatch) -> None:
    text = render.table(console(monkeypatch), ["A", "NUMBER"], [["xyz", "1"], ["x", "-"]])
    assert text == "A    NUMBER\nxyz       1\nx         -"


def test_colours_do_not_count_as_width(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch, terminal=True)
    text = render.table(made, ["A", "B"], [[made.style("ok", "green"), "1"], ["fail", "2"]])
    assert "\x1b[32mok\x1b[0m    1" in text


def test_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch)
    line = render.verdict(made, DONE, [ATTEMPT])
    assert line == "ok in 800 ms · 12.0 MiB peak · 0.10 s CPU · k3f9a2c1"
    failed = replace(DONE, state=State.FAILED, outcome=Outcome.FAILED, exit_code=3, attempts=2)
    assert render.verdict(made, failed, [ATTEMPT]).startswith("failed (exit 3) in 800 ms")
    assert "2 attempts" in render.verdict(made, failed, [ATTEMPT])
    late = replace(DONE, outcome=Outcome.TIMEOUT, reason="ran\x1b too long")
    assert "timeout in 800 ms: ran^[ too long" in render.verdict(made, late, [ATTEMPT])
    early = replace(DONE, state=State.CANCELLED, outcome=None, attempts=0)
    assert render.verdict(made, early, []) == "cancelled · k3f9a2c1"


def test_columns_that_would_say_nothing_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch)
    assert "BATCH" not in listing(made, [DONE], NOW)
    assert "ATTEMPTS" not in listing(made, [DONE], NOW)
    spec = replace(DONE.spec, batch="b")
    text = listing(made, [DONE, replace(DONE, attempts=2, spec=spec)], NOW)
    assert text.splitlines()[0].split() == [
        "ID", "STATE", "OUTCOME", "EXIT", "NAME", "BATCH", "AGE", "ELAPSED", "ATTEMPTS",
    ]  # fmt: skip
    assert text.splitlines()[1].split()[:7] == [
        "k3f9a2c1", "completed", "ok", "0", "x.py", "-", "2m",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (60, "1m"), (7200, "2h"), (200000, "2d"), (-5, "0s")],
)
def test_ages(seconds: float, text: str) -> None:
    assert render.age(NOW - seconds, NOW) == text


def test_long_cells_are_cut() -> None:
    assert len(render.cell("x" * 500)) == 60


def test_an_error_is_a_line_and_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch, quiet=True)
    made.error(EvalboxError("no\nsuch\x1b[2J", hint="do this"))
    assert err(made) == b"evalbox: error: no^Jsuch^[[2J\n  hint: do this\n"
    made = console(monkeypatch)
    made.error(AmbiguousId("two", candidates=("a", "b")))
    assert err(made) == b"evalbox: error: two\n  a\n  b\n"


def test_quiet_leaves_data_and_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch, quiet=True)
    made.note("n")
    made.warn("w")
    made.status("s")
    made.data("d")
    assert (out(made), err(made)) == (b"d\n", b"")


def test_a_job_s_output_is_as_it_is_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch)
    made.job(1, b"\x1b[2J\xff\r")
    made.job(2, b"\x00")
    made.end_of_job()
    assert (out(made), err(made)) == (b"\x1b[2J\xff\r", b"\x00")


def test_a_job_s_output_is_inert_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch, terminal=True)
    made.job(1, b"\x1b[2J\xc3")
    made.job(1, b"\xa9\xc3")
    made.end_of_job()
    assert out(made) == "^[[2Jé\ufffd".encode()
    assert err(made) == b"\n"
    made = console(monkeypatch, terminal=True, raw=True)
    made.job(1, b"\x1b[2J")
    assert out(made) == b"\x1b[2J"


def test_a_status_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch, terminal=True, colour=False)
    made.status("waiting")
    made.note("done")
    assert err(made) == b"waiting\r\x1b[Kdone\n"
    made = console(monkeypatch, terminal=False)
    made.status("waiting")
    assert err(made) == b""


def test_text_that_a_terminal_cannot_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Terminal(encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", Terminal(encoding="ascii"))
    made = Console(environ={"NO_COLOR": "1"})
    made.job(1, "é".encode())
    made.data("naïve ·")
    assert out(made) == b"?na?ve ?\n"


def piece(offset: int, data: bytes, stream: int = 1) -> OutputPiece:
    return OutputPiece(offset, stream, NOW, data)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (0, b""),
        (1, b"d"),
        (2, b"c\nd"),
        (3, b"bb\nc\nd"),
        (4, b"a\nbb\nc\nd"),
        (99, b"a\nbb\nc\nd"),
    ],
)
def test_the_tail(lines: int, expected: bytes) -> None:
    tail = _Tail(lines)
    for part in (piece(0, b"a\nb"), piece(3, b"b\n"), piece(5, b"c\nd")):
        tail.add(part)
    found = list(tail.pieces())
    assert b"".join(one.data for one in found) == expected
    if found:
        assert found[0].offset == len(b"a\nbb\nc\nd") - len(expected)


def test_the_tail_of_whole_lines() -> None:
    tail = _Tail(2)
    for part in (b"1\n2\n", b"3\n", b"4\n"):
        tail.add(piece(0, part))
    assert b"".join(one.data for one in tail.pieces()) == b"3\n4\n"


def test_the_tail_keeps_no_more_than_it_must() -> None:
    tail = _Tail(1)
    for _ in range(1000):
        tail.add(piece(0, b"x\n"))
    assert len(tail._pieces) <= 2


def test_timestamps_stand_at_the_beginning_of_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    made = console(monkeypatch)
    printer = _Printer(made, timestamps=True, as_json=False)
    for part in (b"a\nb", b"b\n", b"c"):
        printer.print(piece(0, part))
    stamp = b"2023-11-14T22:13:20.000Z "
    assert out(made) == stamp + b"a\n" + stamp + b"bb\n" + stamp + b"c"


@pytest.mark.parametrize(("path", "expected"), [("/a/b", "a/b"), ("a//b/.", "a/b"), ("//x", "x")])
def test_an_artifact_stays_beneath_its_directory(path: str, expected: str) -> None:
    assert str(beneath(path)) == expected


@pytest.mark.parametrize("path", ["", "/", "..", "a/../..", "a\0b"])
def test_an_artifact_that_would_not_is_refused(path: str) -> None:
    with pytest.raises(InvalidInput):
        beneath(path)
