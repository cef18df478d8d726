"""All that is known of a batch, in bars and words."""

from __future__ import annotations

from evalbox.domain.batch import Batch
from evalbox.domain.reduction import Reduction, ReductionState
from evalbox.domain.state import State
from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs, bar, sparkline
from evalbox.tui.model.sheet import Scores, Sheet, Tally
from evalbox.tui.screens.batch_columns import counts, pace, rate_tone
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span, measure

_LABEL = 10
_BAR = 20
_TWO_COLUMNS = 96
_RATE = 11
_WORST = 14


def detail(batch: Batch, sheet: Sheet, glyphs: Glyphs, now: float, width: int) -> list[Line]:
    """All that is known of it, in one column or two."""
    left = _words(batch, glyphs, now)
    if batch.outcomes:
        left += [[], *_outcomes(batch, glyphs)]
    if sheet.scores is not None:
        left += [[], *_scores(sheet.scores, batch, glyphs)]
    if width < _TWO_COLUMNS:
        return [*left, [], *_table(sheet, width)]
    half = width // 2
    right = _table(sheet, width - half)
    lines: list[Line] = []
    for place in range(max(len(left), len(right))):
        line = left[place] if place < len(left) else []
        beside = right[place] if place < len(right) else []
        gap = half - measure(line)
        lines.append([*line, (" " * gap, Tone.TEXT), *beside] if gap > 0 else line)
    return lines


def _labelled(label: str, *spans: Span) -> Line:
    return [(f" {label:<{_LABEL}} ", Tone.MUTED), *spans]


def _words(batch: Batch, glyphs: Glyphs, now: float) -> list[Line]:
    stand: list[Span] = []
    for number, word, glyph, tone in counts(batch, glyphs):
        if number:
            stand += [(f"{glyph} ", tone), (f"{number:,} {word}  ", Tone.TEXT)]
    rate, interval = batch.pass_rate, batch.interval
    told = "nothing has been judged yet"
    if rate is not None and interval is not None:
        low, high = interval
        told = f"{100 * rate:.1f} % of {batch.judged:,}, "
        told += f"95 % sure of {100 * low:.0f} to {100 * high:.0f} %"
    lines = [
        _labelled("stands", *stand),
        _labelled("pass rate", (told, Tone.TEXT)),
        _labelled("pace", (_pace_words(batch, now), Tone.TEXT)),
        _labelled("at once", ("no limit of its own" if batch.concurrency is None
                              else f"{batch.concurrency}", Tone.TEXT)),
    ]  # fmt: skip
    if batch.fail_fast:
        lines.append(_labelled("ends", ("with the first that fails", Tone.TEXT)))
    if batch.reduction is not None:
        lines.append(_labelled("reduce", _reduction(batch.reduction, batch)))
    if batch.attempts > batch.total or batch.respent:
        again = f"{wording.span(batch.respent)} of {wording.span(batch.spent)} was spent in vain, "
        again += wording.count(batch.attempts, "attempt")
        lines.append(_labelled("retries", (again, Tone.WARN)))
    return lines


def _reduction(step: Reduction, batch: Batch) -> Span:
    if step.state is ReductionState.MADE:
        return (f"by evaluation {step.evaluation_id}", Tone.TEXT)
    if step.state is ReductionState.REFUSED:
        return (steady(f"refused: {step.reason}"), Tone.BAD)
    left = batch.total - batch.ended
    told = f"waits for {left:,} to end" if left else "waits"
    if not left and batch.states.get(State.CANCELLED, 0):
        told = "waits, as some were cancelled"
    return (told, Tone.MUTED)


def _pace_words(batch: Batch, now: float) -> str:
    if batch.started_at is None:
        return "nothing has started yet"
    if batch.finished_at is not None:
        return f"took {wording.span(batch.finished_at - batch.started_at)}"
    left = batch.eta(now)
    words = f"under way for {wording.span(now - batch.started_at)}"
    if left is None:
        return f"{words}, nothing has ended of late"
    return f"{words}, {pace(batch, now).text.strip()}, {wording.span(left)} left"


def _outcomes(batch: Batch, glyphs: Glyphs) -> list[Line]:
    found = sorted(batch.outcomes.items(), key=lambda one: -one[1])
    most = max(batch.outcomes.values(), default=0)
    lines: list[Line] = []
    for outcome, number in found:
        filled, _ = bar(number / most, _BAR, glyphs)
        lines.append(
            [(f" {outcome:<{_WORST}}", Tone.MUTED), (f"{filled:<{_BAR}}",
              wording.outcome_tone(outcome)), (f" {number:,}", Tone.TEXT)]
        )  # fmt: skip
    return lines


def _scores(scores: Scores, batch: Batch, glyphs: Glyphs) -> list[Line]:
    top = max(scores.counts)
    drawn = "".join(sparkline([one], 1, top, glyphs) * 2 for one in scores.counts)
    mean = "" if batch.mean_score is None else f"  mean {batch.mean_score:.3g}"
    return [
        [(f" {'scores':<{_WORST}}", Tone.MUTED), (drawn, Tone.SPECIAL),
         (f" {batch.scored:,}", Tone.TEXT)],
        [(" " * (_WORST + 1), Tone.TEXT),
         (f"{scores.low:.3g} to {scores.high:.3g}{mean}", Tone.MUTED)],
    ]  # fmt: skip


def _table(sheet: Sheet, width: int) -> list[Line]:
    """Pass rates by task and agent, the tasks that do worst first, as far as there is room."""
    agents = [name for name, _ in sheet.agents]
    room = max(1, (width - 24) // _RATE)
    shown = agents[: room if len(agents) <= room else room - 1]
    wide = max(12, width - _RATE * (len(shown) + (len(agents) > 1)) - 2)
    head: list[Span] = [(f" {fit('task, worst first', wide)}", Tone.MUTED)]
    head += [(fit(name or "all", _RATE, right=True), Tone.MUTED) for name in shown]
    if len(agents) > 1:
        head.append((fit("all", _RATE, right=True), Tone.MUTED))
    lines: list[Line] = [head]
    for task, tally in sheet.tasks:
        line: list[Span] = [(f" {fit(task, wide)}", Tone.TEXT)]
        line += [_rate(sheet.cell(task, name)) for name in shown]
        if len(agents) > 1:
            line.append(_rate(tally))
        lines.append(line)
    return lines


def _rate(tally: Tally) -> Span:
    if not tally.total:
        return (" " * _RATE, Tone.FAINT)
    rate = tally.rate
    if rate is None:
        return (fit(f"-/{tally.total}", _RATE, right=True), Tone.FAINT)
    return (fit(f"{100 * rate:.0f} % {tally.passed}/{tally.judged}", _RATE, right=True),
            rate_tone(rate))  # fmt: skip
