"""The phases of an evaluation's attempts as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from evalbox.domain.attempt import Attempt
from evalbox.domain.quantity import format_duration
from evalbox.domain.state import State
from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.model.timeline import Phase, Step, Track
from evalbox.tui.screens.evaluation.pane import PicturePane, told
from evalbox.tui.text import fit
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span
from evalbox.tui.wording import STATES

_LABEL, _TIME = 12, 10
#: Of the width, what waiting takes at most: hours of it would leave nothing for what was done.
_WAITING = 0.25
_TRACKS = 20


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where on ``width`` cells a moment is. ``begin`` to ``work`` may be shortened, and is waiting.

    The rest goes from ``work`` to ``end``, on a scale of its own.
    """

    begin: float
    work: float
    end: float
    width: int

    @property
    def shortened(self) -> bool:
        return self.work - self.begin > _WAITING * (self.end - self.begin) and self.work < self.end

    @property
    def _share(self) -> float:
        whole = max(0.001, self.end - self.begin)
        share = (self.work - self.begin) / whole
        return min(share, _WAITING) if self.work < self.end else share

    def cell(self, at: float) -> int:
        if at <= self.work:
            part = (at - self.begin) / max(0.001, self.work - self.begin) * self._share
        else:
            rest = (at - self.work) / max(0.001, self.end - self.work)
            part = self._share + rest * (1 - self._share)
        return max(0, min(self.width, round(part * self.width)))

    def stretch(self, begin: float, seconds: float) -> tuple[int, int]:
        """Its first cell, and how many: what lasted at all is seen, if only for a cell."""
        first = min(self.cell(begin), self.width - 1)
        return first, max(1, self.cell(begin + seconds) - first)


class Timeline(PicturePane):
    NAME = "timeline"

    def aside(self) -> str:
        return wording.count(len(self.subject.tracks), "attempt")

    def draw(self, width: int) -> Sequence[Line]:
        tracks = self.subject.tracks
        if not tracks:
            return told("nothing yet")
        now = self.context.clock.now()
        lines: list[Line] = []
        for track in tracks[-_TRACKS:]:
            attempt = next(
                (one for one in self.subject.attempts if one.number == track.number), None
            )
            lines += [*drawn_track(track, attempt, self.context.glyphs, now, width), []]
        return lines


def drawn_track(
    track: Track, attempt: Attempt | None, glyphs: Glyphs, now: float, width: int
) -> list[Line]:
    """A bar for each phase, where on the time of the attempt it was, and how long it took."""
    end = max(track.end(now), track.begin + 0.001)
    work = next((one.begin for one in track.phases if one.state is not State.QUEUED), end)
    scale = _Scale(track.begin, work, end, max(8, width - _LABEL - _TIME - 2))
    head: list[Span] = [
        (f" try {track.number}", Tone.STRONG),
        (f"  {wording.moment(track.begin)}", Tone.MUTED),
        (f"  {format_duration(end - track.begin)}", Tone.TEXT),
    ]
    if track.outcome is not None:
        head.append((f"  {track.outcome}", wording.outcome_tone(track.outcome)))
    lines: list[Line] = [head]
    for place, phase in enumerate(track.phases):
        lines.append(_bar(phase, scale, glyphs, now))
        last = place == len(track.phases) - 1
        lines += [
            _step(step, phase.state, scale, glyphs, now)
            for step in track.steps
            if phase.begin <= step.begin and (last or step.begin < (phase.end or end))
        ]
    if attempt is not None and attempt.first_output_at is not None:
        lines.append(_mark(attempt.first_output_at, attempt, scale, glyphs))
    return [*lines, *_axis(scale, glyphs)]


def _bar(phase: Phase, scale: _Scale, glyphs: Glyphs, now: float) -> Line:
    first, size = scale.stretch(phase.begin, phase.seconds(now))
    glyph = glyphs.phases[phase.state]
    bar = glyph * size
    if phase.state is State.QUEUED and scale.shortened and size > 2:
        middle = size // 2
        bar = f"{glyph * (middle - 1)}//{glyph * (size - middle - 1)}"
    label = f"   {phase.state!s:<{_LABEL - 3}}"
    return _placed(label, first, bar, STATES[phase.state], scale, phase.seconds(now))


def _step(step: Step, state: State, scale: _Scale, glyphs: Glyphs, now: float) -> Line:
    """Below the phase that it is a part of."""
    first, size = scale.stretch(step.begin, step.seconds(now))
    label = f"    {fit(step.name, _LABEL - 4)}"
    return _placed(label, first, glyphs.line * size, STATES[state], scale, step.seconds(now))


def _placed(label: str, first: int, bar: str, tone: Tone, scale: _Scale, seconds: float) -> Line:
    return [
        (label, Tone.MUTED),
        (" " * first, Tone.TEXT),
        (bar, tone),
        (" " * (scale.width - first - len(bar)), Tone.TEXT),
        (f" {format_duration(seconds):>{_TIME - 1}}", Tone.TEXT),
    ]


def _mark(at: float, attempt: Attempt, scale: _Scale, glyphs: Glyphs) -> Line:
    cell = min(scale.cell(at), scale.width - 1)
    after = at - (attempt.started_at or attempt.claimed_at)
    return [
        (f"   {'output':<{_LABEL - 3}}", Tone.MUTED),
        (" " * cell, Tone.TEXT),
        (glyphs.mark, Tone.ACCENT),
        (" " * (scale.width - cell - 1), Tone.TEXT),
        (f" {'+' + format_duration(max(0.0, after)):>{_TIME - 1}}", Tone.MUTED),
    ]


def _axis(scale: _Scale, glyphs: Glyphs) -> list[Line]:
    """Times since the work began, at even steps below a line."""
    whole = scale.end - scale.work
    if whole <= 0:
        return []
    first = scale.cell(scale.work)
    steps = max(1, (scale.width - first) // 16)
    places = [first + (scale.width - 1 - first) * step // steps for step in range(steps + 1)]
    words = [format_duration(whole * step / steps) if step else "0" for step in range(steps + 1)]
    text = ""
    for (place, following), word in zip(
        pairwise([*places, scale.width + _TIME]), words, strict=True
    ):
        text = text.ljust(place) + word[: max(0, following - place - 1)]
    margin = " " * _LABEL
    line = margin + " " * first + glyphs.line * (scale.width - first)
    note = "" if not scale.shortened else "   (waiting is drawn shorter)"
    return [[(line, Tone.LINE)], [(margin + text + note, Tone.FAINT)]]
