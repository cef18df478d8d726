"""What happened to an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

from evalbox.domain.event import Event
from evalbox.tui import wording
from evalbox.tui.screens.evaluation.pane import PicturePane, told
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line

#: Events that are shown, the newest; cells of their kind.
_MOST, _KIND = 2000, 24


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
    data = "  ".join(f"{key}={value}" for key, value in event.data.items() if value is not None)
    return [
        (f" {wording.moment(event.at)}", Tone.MUTED),
        (f"  {fit(event.kind, _KIND)}", Tone.STRONG),
        (f"  try {event.attempt}" if event.attempt else "", Tone.MUTED),
        (f"  {steady(data[:1000])}", Tone.TEXT),
    ]
