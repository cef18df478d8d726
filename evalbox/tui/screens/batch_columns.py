"""Batches as a table shows them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evalbox.domain.batch import Batch
from evalbox.domain.state import ACTIVE, State
from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.columns import Cell, Column, Parts

_BAR = 20
#: Beyond so many an hour they are told in thousands.
_MANY = 100_000


def columns(
    glyphs: Glyphs, now: Callable[[], float], batches: Callable[[], Sequence[Batch]]
) -> Sequence[Column[Batch]]:
    """``batches`` are all that there are: what none of them has needs no column."""

    def any_of(tells: Callable[[Batch], bool]) -> Callable[[], bool]:
        return lambda: any(tells(one) for one in batches())

    return [
        Column("name", "BATCH", 12, lambda one: Cell(one.name, Tone.STRONG), flex=True,
               sort=lambda one: one.name),
        Column("progress", "PROGRESS", _BAR,
               lambda one: progress(one, _BAR, glyphs), rank=3,
               sort=lambda one: one.ended / max(1, one.total), falling=True),
        Column("done", "DONE", 9, lambda one: Cell(f"{one.ended:,}/{one.total:,}"),
               right=True, rank=1, sort=lambda one: one.total, falling=True),
        Column("pass", "PASS RATE", 14, pass_rate, right=True,
               sort=lambda one: -1.0 if one.pass_rate is None else one.pass_rate,
               falling=True),
        Column("score", "SCORE", 7, mean_score, right=True, rank=4,
               needed=any_of(lambda one: one.mean_score is not None), falling=True,
               sort=lambda one: float("-inf") if one.mean_score is None else one.mean_score),
        Column("pace", "PACE", 8, lambda one: pace(one, now()), right=True, rank=6,
               sort=lambda one: one.throughput(now()) or 0.0, falling=True),
        Column("eta", "LEFT", 8, lambda one: eta(one, now()), right=True, rank=2,
               sort=lambda one: one.eta(now()) or 0.0),
        Column("retries", "RETRIES", 13, retries, right=True, rank=7,
               needed=any_of(lambda one: one.respent > 0),
               sort=lambda one: one.respent, falling=True),
        Column("limit", "AT ONCE", 7, lambda one: Cell(f"{one.concurrency or ''}"), right=True,
               rank=8, needed=any_of(lambda one: one.concurrency is not None),
               sort=lambda one: one.concurrency or math.inf),
        Column("age", "AGE", 4,
               lambda one: Cell(wording.age(now() - one.created_at), Tone.MUTED),
               right=True, rank=9, sort=lambda one: one.created_at, falling=True),
    ]  # fmt: skip


def counts(batch: Batch, glyphs: Glyphs) -> list[tuple[int, str, str, Tone]]:
    """How many stand how: number, word, glyph and tone, in the order of the bar."""
    states = batch.states
    return [
        (batch.passed, "passed", glyphs.bar_full, Tone.GOOD),
        (batch.unsettled, "unsettled", glyphs.phases[State.SCORING], Tone.SPECIAL),
        (states.get(State.FAILED, 0), "failed", glyphs.phases[State.SCORING], Tone.BAD),
        (states.get(State.DEAD, 0), "dead", glyphs.phases[State.SCORING], Tone.BAD),
        (states.get(State.CANCELLED, 0), "cancelled", glyphs.states[State.CANCELLED], Tone.WARN),
        (sum(states.get(one, 0) for one in ACTIVE), "running", glyphs.phases[State.STARTING],
         Tone.BUSY),
        (states.get(State.QUEUED, 0), "queued", glyphs.bar_rest, Tone.FAINT),
    ]  # fmt: skip


def progress(batch: Batch, width: int, glyphs: Glyphs) -> Parts:
    """A bar of all that is in it."""
    parts = counts(batch, glyphs)
    sizes = portions([number for number, _, _, _ in parts], width)
    return Parts(
        tuple((glyph * size, tone) for (_, _, glyph, tone), size in zip(parts, sizes, strict=True))
    )


def portions(numbers: Sequence[int], width: int) -> list[int]:
    """``width`` cells for all; what there is at all gets one, as long as there are enough."""
    total = sum(numbers)
    if not total:
        return [0] * len(numbers)
    exact = [number * width / total for number in numbers]
    sizes = [max(int(one), 1) if number else 0 for one, number in zip(exact, numbers, strict=True)]
    places = range(len(numbers))
    while sum(sizes) > width:
        sizes[max(places, key=lambda place: (sizes[place] > 1, sizes[place] - exact[place]))] -= 1
    while sum(sizes) < width:
        sizes[max(places, key=lambda place: exact[place] - sizes[place])] += 1
    return sizes


def pass_rate(batch: Batch) -> Cell:
    """The share that passed, and where the true one lies with 95 % confidence."""
    rate, interval = batch.pass_rate, batch.interval
    if rate is None or interval is None:
        return Cell("")
    low, high = interval
    return Cell(f"{100 * rate:3.0f} % [{100 * low:.0f}-{100 * high:.0f}]", rate_tone(rate))


def pace(batch: Batch, now: float) -> Cell:
    throughput = batch.throughput(now)
    if throughput is None:
        return Cell("")
    number = f"{throughput:,.0f}" if throughput >= 10 else f"{throughput:.1f}"
    if throughput >= _MANY:
        number = f"{throughput / 1000:,.0f}k"
    return Cell(f"{number}/h", Tone.MUTED if batch.ended == batch.total else Tone.TEXT)


def eta(batch: Batch, now: float) -> Cell:
    if batch.ended == batch.total:
        return Cell("done", Tone.MUTED)
    left = batch.eta(now)
    return Cell("") if left is None else Cell(wording.span(left), Tone.STRONG)


def retries(batch: Batch) -> Cell:
    """What went into attempts that had to be repeated."""
    if not batch.respent:
        return Cell("")
    share = 100 * batch.respent / batch.spent if batch.spent else 0.0
    return Cell(f"{share:3.0f} % {wording.span(batch.respent)}", Tone.WARN)


def mean_score(batch: Batch) -> Cell:
    return Cell("" if batch.mean_score is None else f"{batch.mean_score:.3g}", Tone.STRONG)


def rate_tone(rate: float) -> Tone:
    return Tone.GOOD if rate >= 2 / 3 else Tone.WARN if rate >= 1 / 3 else Tone.BAD
