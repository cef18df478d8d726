"""States, times and sizes in the words and tones of the screens."""

from __future__ import annotations

import time

from evalbox.domain.outcome import Outcome
from evalbox.domain.state import State
from evalbox.tui.glyphs import Glyphs
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


def elapsed(row: Row, now: float) -> Cell:
    seconds = row.elapsed(now)
    if seconds is None:
        return Cell("")
    if row.active:
        return Cell(span(seconds), Tone.STRONG)
    return Cell(span(seconds) if seconds >= 10 else f"{seconds:.1f} s", Tone.TEXT)


def activity(row: Row, now: float) -> Cell:
    """What it does and for how long, or why it ended as it did."""
    if row.over:
        return Cell(row.reason, Tone.MUTED)
    since = span(now - row.changed_at)
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
