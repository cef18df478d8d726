"""States, times and sizes in the words and tones of the screens."""

from __future__ import annotations

import time
from pathlib import Path

from evalbox.domain.activity import Activity
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import State
from evalbox.tui.glyphs import Glyphs, bar
from evalbox.tui.model.row import Row
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell

STATES: dict[State, Tone] = {
    State.QUEUED: Tone.MUTED,
    State.STARTING: Tone.ACCENT,
    State.RUNNING: Tone.BUSY,
    State.SCORING: Tone.SPECIAL,
    State.COMPLETED: Tone.GOOD,
    State.FAILED: Tone.BAD,
    State.CANCELLED: Tone.WARN,
    State.DEAD: Tone.BAD,
}
_SCORES = {ScoreKind.MANUAL: Tone.WARN, ScoreKind.INVALID: Tone.BAD}
#: Percents of what should not run out, and seconds without output, that are worth a look.
_HIGH, _HIGHER = 75.0, 90.0
_QUIET, _STALLED = 60.0, 300.0
#: Cores from which on it is said to compute.
_BUSY = 0.05
_OUTCOMES = {Outcome.OK: Tone.GOOD, Outcome.CANCELLED: Tone.WARN}


def state(row: Row, glyphs: Glyphs) -> Cell:
    word = "cancelling" if row.cancelling else str(row.state)
    tone = Tone.WARN if row.cancelling else STATES[row.state]
    return Cell(f"{glyphs.states[row.state]} {word}", tone)


def outcome_tone(value: Outcome | None) -> Tone:
    return Tone.FAINT if value is None else _OUTCOMES.get(value, Tone.BAD)


def outcome(row: Row) -> Cell:
    """Of the last attempt; that of one which is being tried again is past."""
    if row.outcome is None:
        return Cell("")
    return Cell(str(row.outcome), outcome_tone(row.outcome) if row.over else Tone.FAINT)


def span(seconds: float) -> str:
    """``41`` becomes ``0:41``, ``3700`` becomes ``1:01:40``; beyond two days, days and hours."""
    whole = int(max(0.0, seconds))
    if whole >= 2 * 86400:
        return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02d}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def age(seconds: float) -> str:
    """In one unit that fits."""
    seconds = max(0.0, seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.0f}s"


def level(percent: float) -> Tone:
    """How much of something that should not run out is used."""
    if percent >= _HIGHER:
        return Tone.BAD
    return Tone.WARN if percent >= _HIGH else Tone.TEXT


def elapsed(row: Row, now: float) -> Cell:
    seconds = row.elapsed(now)
    if seconds is None:
        return Cell("")
    if row.active:
        return Cell(span(seconds), Tone.STRONG)
    return Cell(span(seconds) if seconds >= 10 else f"{seconds:.1f} s", Tone.TEXT)


def score(row: Row) -> Cell:
    found = row.score
    if found is None:
        return Cell("")
    if found.value is None:
        return Cell(str(found.kind), _SCORES[found.kind])
    return Cell(f"{found.value:.4g}", Tone.STRONG)


def progress(row: Row, doing: Activity | None, now: float, glyphs: Glyphs, width: int) -> Cell:
    """The time that has passed, against the limit."""
    seconds = row.elapsed(now)
    if doing is None or seconds is None or not row.active:
        return Cell("")
    share = min(1.0, seconds / doing.limits.timeout)
    tone = level(share * 100)
    return Cell("".join(bar(share, width, glyphs)), Tone.BUSY if tone is Tone.TEXT else tone)


def quiet(row: Row, doing: Activity | None, now: float) -> float | None:
    """Seconds since anything was heard of it, while it is under way."""
    if not row.active or doing is None:
        return None
    return max(0.0, now - max(doing.since, row.changed_at, doing.last_output_at or 0.0))


def idle(row: Row, doing: Activity | None, now: float) -> Cell:
    seconds = quiet(row, doing, now)
    if seconds is None:
        return Cell("")
    if seconds < _QUIET:
        return Cell(age(seconds), Tone.FAINT)
    return Cell(age(seconds), Tone.WARN if seconds >= _STALLED else Tone.TEXT)


def cores(row: Row, doing: Activity | None) -> Cell:
    if doing is None or doing.cpu is None or not row.active:
        return Cell("")
    return Cell(f"{doing.cpu:.2f}", Tone.TEXT if doing.cpu >= _BUSY else Tone.MUTED)


def memory(row: Row, doing: Activity | None) -> Cell:
    if doing is None or doing.memory is None or not row.active:
        return Cell("")
    tone = level(100.0 * doing.memory / doing.limits.memory)
    return Cell(small_size(doing.memory), Tone.MUTED if tone is Tone.TEXT else tone)


def small_size(count: float) -> str:
    """In three digits and a letter: ``312M``, ``1.5G``."""
    for unit in "BKMG":
        if count < 999.5:
            return (
                f"{count:.1f}{unit}" if 0 < count < 9.95 and unit != "B" else f"{count:.0f}{unit}"
            )
        count /= 1024
    return f"{count:.1f}T"


def activity(row: Row, doing: Activity | None, now: float) -> Cell:
    """What it does and for how long, or why it ended as it did."""
    if row.over:
        return Cell(row.error or row.reason, Tone.MUTED)
    since = span(now - row.changed_at)
    if row.active and doing is not None:
        return Cell(f"{doing.phase} {span(now - doing.since)}", STATES[row.state])
    if row.active:
        return Cell(f"{row.state} {since}", STATES[row.state])
    if row.not_before is not None and row.not_before > now:
        return Cell(f"due in {span(row.not_before - now)}", Tone.MUTED)
    if row.attempts:
        return Cell(f"to be tried again {since}", Tone.WARN)
    return Cell(f"waiting {since}", Tone.MUTED)


def clock(at: float) -> str:
    """The time of day here."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float) -> str:
    """Date and time of day here."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def place(path: Path) -> str:
    """``path``, with ``~`` for the home directory, as a shell would take it."""
    try:
        return f"~/{path.relative_to(Path.home())}"
    except (ValueError, RuntimeError):
        return str(path)


def limits(of: Limits) -> str:
    """Those that people choose."""
    return f"{of.cpus:g} cores, {format_size(of.memory)} of memory, {format_duration(of.timeout)}"
