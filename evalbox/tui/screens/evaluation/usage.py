"""What an attempt uses over time, under its limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import ClassVar

from textual.binding import Binding, BindingType

from evalbox.domain.attempt import Usage
from evalbox.domain.limits import Limits
from evalbox.domain.quantity import format_duration
from evalbox.tui import wording
from evalbox.tui.model.subject import Samples
from evalbox.tui.screens.evaluation.pane import PicturePane, told
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.charts import Graph, beside, drawn
from evalbox.tui.widgets.picture import Line

#: Cells from which on two graphs stand beside each other; rows of one.
_TWO, _LEAST_ROWS, _MOST_ROWS = 100, 3, 8


class UsagePane(PicturePane):
    NAME = "usage"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("v", "dots", "dots", id="usage.dots", tooltip="Draw in dots, twice as finely"),
    ]

    dotted = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "dots" and self.context.options.ascii:
            return False
        return super().check_action(action, parameters)

    def action_dots(self) -> None:
        self.dotted = not self.dotted
        self.look()

    async def renew(self) -> None:
        await self.subject.renew_samples()

    def aside(self) -> str:
        samples = self.subject.samples
        words = [self.about_attempt()]
        if samples:
            words.append(f"{format_duration(samples[-1][0] - samples[0][0])} in all")
        return "  ".join(filter(None, words))

    def draw(self, width: int) -> Sequence[Line]:
        item, samples = self.subject.item, self.subject.samples
        if item is None or not samples:
            return told("no samples: they are taken about once a second while it runs")
        graphs = _graphs(samples, item.spec.limits)
        columns = 2 if width >= _TWO else 1
        size = width // columns
        room = self._scroll.size.height // (len(graphs) // columns) - 3
        rows = max(_LEAST_ROWS, min(_MOST_ROWS, room))
        pictures = [
            drawn(one, self.context.glyphs, width=size, rows=rows, dotted=self.dotted)
            for one in graphs
        ]
        last: Line = [
            (f" {wording.moment(samples[0][0])} to {wording.clock(samples[-1][0])}", Tone.FAINT)
        ]
        return [*beside(pictures, columns, size), last]


def _graphs(samples: Samples, limits: Limits) -> list[Graph]:
    def over(value: Callable[[Usage], float]) -> list[tuple[float, float]]:
        return [(at, value(usage)) for at, usage in samples]

    cores = [
        (late, max(0.0, (after.cpu_seconds - before.cpu_seconds) / max(0.001, late - early)))
        for (early, before), (late, after) in pairwise(samples)
    ] or [(samples[0][0], 0.0)]
    return [
        _graph("cpu", cores, limits.cpus, lambda value: f"{value:.3g}"),
        _graph("memory", over(lambda one: one.memory), limits.memory, wording.small_size),
        _graph("disk", over(lambda one: one.disk), limits.disk, wording.small_size),
        _graph("processes", over(lambda one: one.pids), limits.pids, lambda value: f"{value:.0f}"),
    ]


def _graph(
    label: str, points: Sequence[tuple[float, float]], limit: float, tell: Callable[[float], str]
) -> Graph:
    values = [value for _, value in points]
    words = f"{tell(values[-1])} of {tell(limit)}, peak {tell(max(values))}"
    return Graph(label, words, points, limit, tell)
