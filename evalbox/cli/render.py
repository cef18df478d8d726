"""How things look to people: tables, times, verdicts. Nothing here is parsed as markup."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.cli.console import Console
from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.inert import inert_line
from evalbox.domain.outcome import Outcome
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.state import ACTIVE, FINAL, State

_STATE_STYLES = {
    State.QUEUED: "grey",
    State.COMPLETED: "green",
    State.FAILED: "red",
    State.DEAD: "red",
    State.CANCELLED: "yellow",
}
_OUTCOME_STYLES = {Outcome.OK: "green", Outcome.CANCELLED: "yellow"}
_WIDEST = 60


def table(console: Console, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns that line up; a column of numbers to the right. Cells may hold styles already."""
    plain = [[_unstyled(cell) for cell in row] for row in rows]
    columns = range(len(header))
    widths = [max([len(header[i]), *(len(row[i]) for row in plain)]) for i in columns]
    right = [bool(plain) and all(_is_number(row[i]) for row in plain) for i in columns]
    lines = []
    for shown, bare in zip([header, *rows], [header, *plain], strict=True):
        cells = []
        for i in columns:
            gap = " " * (widths[i] - len(bare[i]))
            cells.append(gap + shown[i] if right[i] else shown[i] + gap)
        lines.append("  ".join(cells).rstrip())
    lines[0] = console.style(lines[0], "bold")
    return "\n".join(lines)


def _unstyled(text: str) -> str:
    if "\x1b" not in text:
        return text
    return text.split("m", 1)[1].removesuffix("\x1b[0m")


def _is_number(text: str) -> bool:
    return text in ("", "-") or text.removeprefix("-").replace(".", "", 1).isdecimal()


def cell(text: str) -> str:
    """Text of a user or a job, for a table."""
    text = inert_line(text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def state(console: Console, evaluation: Evaluation) -> str:
    text = str(evaluation.state)
    if evaluation.cancel_requested and evaluation.state not in FINAL:
        text += " (cancelling)"
    style = _STATE_STYLES.get(evaluation.state, "blue")
    return console.style(text, style)


def outcome(console: Console, value: Outcome | None, *, error: bool = False) -> str:
    if value is None:
        return "-"
    return console.style(str(value), _OUTCOME_STYLES.get(value, "red"), error=error)


def score(console: Console, value: Score | None, *, error: bool = False) -> str:
    if value is None:
        return "-"
    if value.value is not None:
        return f"{value.value:g}"
    style = "red" if value.kind is ScoreKind.INVALID else "yellow"
    return console.style(str(value.kind), style, error=error)


def age(at: float, now: float) -> str:
    """How long ago, in one unit that fits."""
    seconds = max(0.0, now - at)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def scored(console: Console, value: Score, *, error: bool = False) -> str:
    """The score, and what is said about it."""
    why = f": {inert_line(value.reason)}" if value.reason else ""
    return score(console, value, error=error) + why


def elapsed(evaluation: Evaluation, now: float) -> str:
    """How long it ran, or has run so far."""
    if evaluation.started_at is None:
        return "-"
    end = evaluation.finished_at
    if end is None or end < evaluation.started_at:
        if evaluation.state not in ACTIVE:
            return "-"
        end = now
    return format_duration(max(0.0, end - evaluation.started_at))


def verdict(console: Console, evaluation: Evaluation, attempts: Sequence[Attempt]) -> str:
    """The line with which a run ends, for standard error."""
    last = attempts[-1] if attempts else None
    parts = [_ending(console, evaluation, last)]
    if evaluation.score is not None:
        parts.append(f"score {scored(console, evaluation.score, error=True)}")
    if last is not None:
        usage = last.usage
        # What was out of memory tells its peak already.
        if usage.memory_peak and evaluation.outcome is not Outcome.OUT_OF_MEMORY:
            parts.append(f"{format_size(usage.memory_peak)} peak")
        if usage.cpu_seconds:
            parts.append(f"{usage.cpu_seconds:.2f} s CPU")
    if evaluation.attempts > 1:
        parts.append(f"{evaluation.attempts} attempts")
    return " · ".join([*parts, evaluation.short_id])


def _ending(console: Console, evaluation: Evaluation, last: Attempt | None) -> str:
    result = evaluation.outcome
    text = outcome(console, result, error=True) if result else str(evaluation.state)
    if result in (Outcome.FAILED, Outcome.KILLED) and evaluation.exit_code is not None:
        text += f" (exit {evaluation.exit_code})"
    if last is not None and last.finished_at is not None:
        began = last.started_at if last.started_at is not None else last.claimed_at
        text += f" in {format_duration(max(0.0, last.finished_at - began))}"
    if result not in (None, Outcome.OK, Outcome.FAILED) and evaluation.reason:
        text += f": {inert_line(evaluation.reason)}"
    return text
