"""The upper half of an evaluation's screen: what it is, and its phases as a picture."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from itertools import pairwise

from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.quantity import format_duration, format_size
from evalbox.domain.state import FINAL
from evalbox.tui import wording
from evalbox.tui.glyphs import Glyphs
from evalbox.tui.model.row import row_of
from evalbox.tui.model.timeline import Track
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.charts import beside, chart
from evalbox.tui.widgets.picture import Line, Span
from evalbox.tui.wording import STATES

_LABEL = 10
_TWO_COLUMNS = 100
_TRACKS = 4
#: Of a limit, from where on it is told.
_NEAR = 0.9


def summary(
    item: Evaluation,
    attempts: Sequence[Attempt],
    samples: Sequence[tuple[float, Usage]],
    explained: str,
    glyphs: Glyphs,
    now: float,
    width: int,
) -> list[Line]:
    """What it is and how it stands, in one column or two."""
    spec, limits = item.spec, item.spec.limits
    row = row_of(item)
    head: list[Span] = [(" ", Tone.TEXT), wording.state(row, glyphs)]
    if item.outcome is not None and item.state in FINAL:
        head += [("  ", Tone.TEXT), (str(item.outcome), wording.outcome_tone(item.outcome))]
    if item.exit_code is not None:
        head.append((f"  exit {item.exit_code}", Tone.MUTED))
    why = item.reason if item.state in FINAL else explained
    head.append((f"  {steady(why)}", Tone.MUTED))
    name: Line = [
        (f" {steady(spec.name)}", Tone.STRONG),
        (f"  {item.short_id}", Tone.FAINT),
        (f"  {steady(spec.batch)}" if spec.batch else "", Tone.MUTED),
    ]
    last = attempts[-1] if attempts else None
    pairs = [
        ("command", shlex.join(spec.command)),
        ("image", f"{spec.image}  engine {spec.engine}, network {spec.network}"),
        ("limits", f"{limits.cpus:g} cpus, {format_size(limits.memory)}, "
                   f"{format_duration(limits.timeout)}, disk {format_size(limits.disk)}"),
        ("created", wording.moment(item.created_at)),
        ("elapsed", wording.elapsed(row, now).text or "-"),
        ("used", _used(last, samples)),
    ]  # fmt: skip
    lines = [name, head, []]
    if width < _TWO_COLUMNS:
        return [*lines, *(_pair(label, text, width) for label, text in pairs)]
    half, middle = width // 2, (len(pairs) + 1) // 2
    for left, right in zip(pairs[:middle], pairs[middle:], strict=True):
        lines.append([*_pair(*left, half), *_pair(*right, width - half)])
    return lines


def _pair(label: str, text: str, width: int) -> list[Span]:
    room = max(1, width - _LABEL - 2)
    return [(f" {label:<{_LABEL}}", Tone.MUTED), (fit(text, room) + " ", Tone.TEXT)]


def _used(attempt: Attempt | None, samples: Sequence[tuple[float, Usage]]) -> str:
    """In all where it has ended, and so far where it has not."""
    if attempt is None:
        return "-"
    if attempt.verdict is None:
        usage = samples[-1][1] if samples else Usage()
        return f"{usage.cpu_seconds:.2f} s CPU, {format_size(usage.memory_peak)} peak so far"
    usage = attempt.usage
    return (
        f"{usage.cpu_seconds:.2f} s CPU, {format_size(usage.memory_peak)} peak, "
        f"{format_size(attempt.output_bytes)} output"
    )


def timeline(tracks: Sequence[Track], glyphs: Glyphs, now: float, width: int) -> list[Line]:
    """A bar for each of the last attempts, all on one scale of time, with their phases' length."""
    if not tracks:
        return []
    shown = tracks[-_TRACKS:]
    begin = shown[0].begin
    whole = max(0.001, shown[-1].end(now) - begin)
    room = max(8, width - _LABEL - 3)
    lines: list[Line] = []
    for track in shown:
        lines.append([(f" try {track.number:<{_LABEL - 4}}", Tone.MUTED),
                      *_bar(track, begin, whole, room, glyphs, now)])  # fmt: skip
        words: list[Span] = [(" " * (_LABEL + 1), Tone.TEXT)]
        for phase in track.phases:
            words.append((f"{glyphs.phases[phase.state]} ", STATES[phase.state]))
            seconds = format_duration(phase.seconds(now))
            words.append((f"{phase.state} {seconds}  ", Tone.MUTED))
        if track.outcome is not None:
            words.append((str(track.outcome), wording.outcome_tone(track.outcome)))
        lines.append(words)
    return lines


def _bar(
    track: Track, begin: float, whole: float, room: int, glyphs: Glyphs, now: float
) -> list[Span]:
    """What lasted at all is seen, if only for a cell."""
    spans: list[Span] = []
    at = round((track.begin - begin) / whole * room)
    spans.append((" " * at, Tone.TEXT))
    for phase in track.phases:
        until = phase.begin + phase.seconds(now)
        end = min(room, max(at + 1, round((until - begin) / whole * room)))
        if end > at:
            spans.append((glyphs.phases[phase.state] * (end - at), STATES[phase.state]))
        at = max(at, end)
    return spans


def usage(
    samples: Sequence[tuple[float, Usage]], item: Evaluation, glyphs: Glyphs, width: int
) -> list[Line]:
    """What its sandbox uses, against its limits."""
    if not samples:
        return [[], [(" no samples yet: they are taken about once a second", Tone.MUTED)]]
    limits = item.spec.limits
    cores = [
        max(0.0, (after.cpu_seconds - before.cpu_seconds) / max(0.001, late - early))
        for (early, before), (late, after) in pairwise(samples)
    ] or [0.0]
    used = [sample for _, sample in samples]
    memory, disk = [float(one.memory) for one in used], [float(one.disk) for one in used]
    processes = [float(one.pids) for one in used]
    columns = 2 if width >= _TWO_COLUMNS else 1
    size = width // columns
    shown: list[tuple[str, list[float], float, str]] = [
        ("cpu", cores, limits.cpus, f"{cores[-1]:.2f} of {limits.cpus:g} cores"),
        ("memory", memory, limits.memory, _of(memory, limits.memory)),
        ("disk", disk, limits.disk, _of(disk, limits.disk)),
        ("processes", processes, limits.pids, f"{processes[-1]:.0f} of {limits.pids}"),
    ]
    charts = [
        chart(label, words, values, limit, width=size, rows=2, glyphs=glyphs,
              tone=Tone.BAD if values[-1] > _NEAR * limit else Tone.BUSY)
        for label, values, limit, words in shown
    ]  # fmt: skip
    whole = format_duration(samples[-1][0] - samples[0][0])
    told: Line = [(f" full height is the limit; {whole} in all", Tone.FAINT)]
    return [[], *beside(charts, columns, size), told]


def _of(values: Sequence[float], limit: float) -> str:
    return f"{format_size(values[-1])} of {format_size(limit)}, peak {format_size(max(values))}"
