"""What happened to an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.domain.event import Event
from evalbox.tui import wording
from evalbox.tui.happenings import tone_of, words_of
from evalbox.tui.screens.evaluation.pane import PicturePane, told
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line

#: Events that are shown, the newest; cells of their kind; characters of what they tell.
_MOST, _KIND, _WORDS = 2000, 24, 400


class Events(PicturePane):
    NAME = "events"

    def aside(self) -> str:
        return wording.count(len(self.subject.events), "event")

    def draw(self, width: int) -> Sequence[Line]:
        events = self.subject.events
        if not events:
            return told("nothing yet")
        lines: list[Line] = []
        if len(events) > _MOST:
            lines.append([(f" the newest {_MOST:,}", Tone.MUTED)])
        return lines + [_line(event) for event in events[-_MOST:]]


def _line(event: Event) -> Line:
    return [
        (f" {wording.moment(event.at)}", Tone.MUTED),
        (f"  {fit(event.kind, _KIND)}", tone_of(event)),
        (f"  {steady(words_of(event)[:_WORDS])}", Tone.TEXT),
    ]
