"""What an evaluation is, and how it stands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.state import FINAL, State
from evalbox.tui import wording
from evalbox.tui.context import Context
from evalbox.tui.model.row import Row, row_of
from evalbox.tui.model.subject import Subject
from evalbox.tui.screens.evaluation.pane import PicturePane, fact, told, wrap
from evalbox.tui.screens.evaluation.worth import words as score_words
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span, ends, measure

_NAME = 60


class Summary(PicturePane):
    NAME = "summary"

    def draw(self, width: int) -> Sequence[Line]:
        item = self.subject.item
        if item is None:
            return told("looking")
        return [*self._standing(item, width), [], *_asked(item, width)]

    async def renew(self) -> None:
        if not self.subject.over:
            await self.subject.renew_samples()

    def _standing(self, item: Evaluation, width: int) -> list[Line]:
        now = self.context.clock.now()
        row = row_of(item)
        lines: list[Line] = [fact("state", wording.state(row, self.context.glyphs))]
        if item.outcome is not None:
            exit_code = "" if item.exit_code is None else f"  exit {item.exit_code}"
            lines.append(
                fact("outcome", (str(item.outcome), wording.outcome_tone(item.outcome)),
                     (exit_code, Tone.MUTED))
            )  # fmt: skip
        if item.score is not None:
            lines.append(fact("score", *score_words(item.score)))
        if item.state is State.QUEUED:
            lines += wrap("waits", steady(self.subject.explained), width)
        elif item.reason and item.state in FINAL:
            lines += wrap("why", steady(item.reason), width)
        if item.error:
            lines += wrap("error", steady(item.error), width, Tone.BAD)
        lines += [
            fact("created", (wording.moment(item.created_at), Tone.TEXT)),
            *self._times(item),
            fact("elapsed", (wording.elapsed(row, now).text or "-", Tone.TEXT)),
            fact("attempts", (_attempts(item), Tone.TEXT)),
            fact("used", (self._used(self.subject.shown), Tone.TEXT)),
        ]
        return lines

    def _times(self, item: Evaluation) -> list[Line]:
        times = [("not before", item.not_before if item.state is State.QUEUED else None),
                 ("started", item.started_at), ("finished", item.finished_at)]  # fmt: skip
        return [
            fact(label, (wording.moment(at), Tone.TEXT)) for label, at in times if at is not None
        ]

    def _used(self, attempt: Attempt | None) -> str:
        """In all where it has ended, and so far where it has not."""
        if attempt is None:
            return "-"
        if attempt.verdict is None:
            samples = self.subject.samples
            if not samples:
                return "-"
            usage = samples[-1][1]
            return f"{usage.cpu_seconds:.2f} s CPU, {format_size(usage.memory_peak)} peak so far"
        usage = attempt.usage
        return (
            f"{usage.cpu_seconds:.2f} s CPU, {format_size(usage.memory_peak)} peak, "
            f"{format_size(attempt.output_bytes)} output"
        )


def _attempts(item: Evaluation) -> str:
    policy = item.spec.retry
    allowed = f"{policy.retries} for its own failures, {policy.infra_retries} for the box's"
    return f"{item.attempts}  (to be tried again: {allowed})"


def _asked(item: Evaluation, width: int) -> list[Line]:
    spec, limits = item.spec, item.spec.limits
    labels = "  ".join(f"{key}={value}" for key, value in spec.labels.items())
    bounds = (
        f"{limits.cpus:g} cpus, {format_size(limits.memory)} memory, "
        f"{format_duration(limits.timeout)}, {format_size(limits.disk)} disk"
    )
    lines = [
        fact("id", (item.id, Tone.TEXT)),
        *wrap("name", steady(spec.name), width),
        *wrap("command", steady(shlex.join(spec.command)), width, rows=12),
        *wrap("image", steady(spec.image), width),
        fact("engine", (f"{steady(spec.engine)}, network {spec.network}", Tone.TEXT)),
        *wrap("limits", bounds, width),
        fact("priority", (spec.priority.name.lower(), Tone.TEXT)),
    ]
    if spec.batch:
        lines += wrap("batch", steady(spec.batch), width)
    if labels:
        lines += wrap("labels", steady(labels), width)
    return lines


def head(subject: Subject, row: Row, context: Context, width: int) -> Sequence[Line]:
    """Its name, and how it stands, in two lines."""
    item = subject.item
    row = row if item is None else row_of(item)
    now = context.clock.now()
    name: list[Span] = [
        (f" {fit(row.name, min(max(8, width - 24), _NAME)).rstrip()}", Tone.STRONG),
        (f"  {row.short_id}", Tone.MUTED),
        (f"  {steady(row.batch)}" if row.batch else "", Tone.MUTED),
    ]
    elapsed = wording.elapsed(row, now)
    stands: list[Span] = [(" ", Tone.TEXT), wording.state(row, context.glyphs)]
    if row.over and row.outcome is not None:
        stands += [("  ", Tone.TEXT), wording.outcome(row)]
    if row.over and row.exit_code is not None:
        stands.append((f"  exit {row.exit_code}", Tone.MUTED))
    if item is not None and item.score is not None:
        stands += [("  score ", Tone.MUTED), *score_words(item.score)]
    stands.append((f"  {steady(_why(subject, context, now))}", Tone.MUTED))
    right: list[Span] = [(f"{elapsed.text} ", elapsed.tone)] if elapsed.text else []
    room = max(1, width - measure(right) - 1)
    return [name, ends(_cut(stands, room), right, width)]


def _why(subject: Subject, context: Context, now: float) -> str:
    item = subject.item
    if item is None:
        return "looking"
    if item.state in FINAL:
        return item.error or item.reason
    activity = context.standing.activity.get(subject.id)
    if activity is None:
        return subject.explained
    words = f"{activity.phase} {wording.span(now - activity.since)}"
    if activity.last_output_at is not None:
        words += f", last output {wording.age(now - activity.last_output_at)} ago"
    return words


def _cut(line: Sequence[Span], room: int) -> Line:
    shown: list[Span] = []
    for text, tone in line:
        size = measure([(text, tone)])
        shown.append((text if size <= room else fit(text, room), tone))
        room -= size
        if room <= 0:
            break
    return shown
