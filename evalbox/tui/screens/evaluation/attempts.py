"""The attempts of an evaluation beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalbox.domain.attempt import Attempt
from evalbox.domain.quantity import format_duration, format_size
from evalbox.tui import wording
from evalbox.tui.screens.evaluation.pane import PicturePane, told
from evalbox.tui.screens.evaluation.worth import words as score_words
from evalbox.tui.text import fit
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span

_LABEL, _LEAST, _MOST = 12, 20, 40

Cell = Callable[[Attempt], Span]


class Attempts(PicturePane):
    """What is the same in all that are shown stands back."""

    NAME = "tries"

    def aside(self) -> str:
        attempts, shown = self.subject.attempts, self._visible(self.size.width)
        if len(shown) == len(attempts):
            return wording.count(len(attempts), "attempt")
        return f"{shown[0].number} to {shown[-1].number} of {len(attempts)} attempts"

    def _visible(self, width: int) -> Sequence[Attempt]:
        """As many as there is room for, with the one that is looked at among them."""
        attempts = self.subject.attempts
        room = max(1, (width - _LABEL) // (_LEAST + 1))
        place = next(
            (at for at, one in enumerate(attempts) if one.number == self.subject.attempt), 0
        )
        first = max(0, min(place - room // 2, len(attempts) - room))
        return attempts[first : first + room]

    def draw(self, width: int) -> Sequence[Line]:
        shown = self._visible(width)
        if not shown:
            return told("none yet")
        size = min(_MOST, (width - _LABEL) // len(shown) - 1)
        lines: list[Line] = [self._heads(shown, size)]
        for label, cell in _ROWS:
            spans = [cell(attempt) for attempt in shown]
            if any(text for text, _ in spans):
                lines.append(_row(label, spans, size))
        return lines

    def _heads(self, shown: Sequence[Attempt], size: int) -> Line:
        line: list[Span] = [(" " * _LABEL, Tone.TEXT)]
        for attempt in shown:
            here = attempt.number == self.subject.attempt
            mark = self.context.glyphs.cursor if here else " "
            text = fit(f"{mark}try {attempt.number}", size)
            line += [(text, Tone.ACCENT if here else Tone.STRONG), (" ", Tone.TEXT)]
        return line


def _row(label: str, spans: Sequence[Span], size: int) -> Line:
    same = len(spans) > 1 and len({text for text, _ in spans}) == 1
    line: list[Span] = [(f" {label:<{_LABEL - 1}}", Tone.MUTED)]
    for text, tone in spans:
        shown = Tone.MUTED if same and tone is Tone.TEXT else tone
        line += [(fit(f" {text}", size), shown), (" ", Tone.TEXT)]
    return line


def _outcome(attempt: Attempt) -> Span:
    if attempt.verdict is None:
        return ("under way", Tone.BUSY)
    return (str(attempt.verdict.outcome), wording.outcome_tone(attempt.verdict.outcome))


def _score(attempt: Attempt) -> Span:
    verdict = attempt.verdict
    if verdict is None or verdict.score is None:
        return ("", Tone.TEXT)
    return score_words(verdict.score)[0]


def _memory_kill(attempt: Attempt) -> Span:
    killed = attempt.verdict is not None and attempt.verdict.oom_killed
    return ("killed for memory", Tone.BAD) if killed else ("", Tone.TEXT)


def _plain(tell: Callable[[Attempt], object]) -> Cell:
    def cell(attempt: Attempt) -> Span:
        told = tell(attempt)
        return ("" if told is None else str(told), Tone.TEXT)

    return cell


def _of_verdict(name: str, tone: Tone = Tone.TEXT) -> Cell:
    def cell(attempt: Attempt) -> Span:
        told = getattr(attempt.verdict, name, None)
        return ("" if told is None else str(told), tone)

    return cell


def _between(begin: float | None, end: float | None) -> str:
    return "" if begin is None or end is None else format_duration(max(0.0, end - begin))


def _output(attempt: Attempt) -> Span:
    if attempt.verdict is None:
        return ("", Tone.TEXT)
    return (format_size(attempt.output_bytes) + attempt.truncated * " (cut)", Tone.TEXT)


_WARMTH = {True: "warm", False: "cold", None: ""}

_ROWS: Sequence[tuple[str, Cell]] = (
    ("outcome", _outcome),
    ("score", _score),
    ("exit", _of_verdict("exit_code")),
    ("signal", _of_verdict("signal")),
    ("memory", _memory_kill),
    ("error", _of_verdict("error", Tone.BAD)),
    ("why", _of_verdict("reason")),
    ("begun", _plain(lambda one: wording.moment(one.claimed_at))),
    ("to start", _plain(lambda one: _between(one.claimed_at, one.started_at))),
    ("to output", _plain(lambda one: _between(one.started_at, one.first_output_at))),
    ("ran", _plain(lambda one: _between(one.started_at, one.finished_at))),
    ("cpu", _plain(lambda one: f"{one.usage.cpu_seconds:.2f} s" if one.verdict else "")),
    ("peak memory", _plain(lambda one: format_size(one.usage.memory_peak) if one.verdict else "")),
    ("disk", _plain(lambda one: format_size(one.usage.disk) if one.verdict else "")),
    ("read", _plain(lambda one: format_size(one.usage.read_bytes) if one.verdict else "")),
    ("written", _plain(lambda one: format_size(one.usage.written_bytes) if one.verdict else "")),
    ("output", _output),
    ("engine", _plain(lambda one: one.engine)),
    ("warm", _plain(lambda one: _WARMTH[one.warm])),
    ("sandbox", _plain(lambda one: one.sandbox_id)),
    ("image", _plain(lambda one: one.image_digest)),
)
