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
from evalbox.tui.glyphs import Glyphs, resampled, sparkline
from evalbox.tui.model.row import row_of
from evalbox.tui.model.timeline import Track
from evalbox.tui.text import fit, steady
from evalbox.tui.theme import Tone
from evalbox.tui.widgets.picture import Line, Span
from evalbox.tui.wording import STATES

_LABEL = 10
_TWO_COLUMNS = 100
_TRACKS = 4


def summary(
    item: Evaluation, attempts: Sequence[Attempt], explained: str, glyphs: Glyphs, now: float,
    width: int,
) -> list[Line]:  # fmt: skip
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
        ("used", _used(last)),
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


def _used(attempt: Attempt | None) -> str:
    if attempt is None:
        return "-"
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
    if len(samples) < 2:
        return [[], [(" no samples yet: they are taken about once a second", Tone.MUTED)]]
    limits, size = item.spec.limits, max(10, min(120, width - 44))
    rates = [
        max(0.0, (after.cpu_seconds - before.cpu_seconds) / max(0.001, late - early))
        for (early, before), (late, after) in pairwise(samples)
    ]
    memory = [float(sample.memory) for _, sample in samples]
    disk = [float(sample.disk) for _, sample in samples]
    pids = [float(sample.pids) for _, sample in samples]
    cores = f"{rates[-1]:.2f} of {limits.cpus:g} cores"
    return [
        [],
        _graph("cpu", rates, limits.cpus, cores, size, glyphs),
        _graph("memory", memory, limits.memory, _of(memory, limits.memory), size, glyphs),
        _graph("disk", disk, limits.disk, _of(disk, limits.disk), size, glyphs),
        _graph("processes", pids, limits.pids, f"{pids[-1]:.0f} of {limits.pids}", size, glyphs),
        [],
        [(f" {'full height is the limit; the last':<34}", Tone.FAINT),
         (format_duration(samples[-1][0] - samples[0][0]), Tone.FAINT)],
    ]  # fmt: skip


def _of(values: Sequence[float], limit: float) -> str:
    return f"{format_size(values[-1])} of {format_size(limit)}, peak {format_size(max(values))}"


def _graph(
    label: str, values: Sequence[float], limit: float, words: str, size: int, glyphs: Glyphs
) -> Line:
    near = values[-1] / limit > 0.9 if limit else False
    drawn = sparkline(resampled(values, size), size, limit, glyphs)
    tone = Tone.BAD if near else Tone.BUSY
    return [(f" {label:<{_LABEL}}", Tone.MUTED), (drawn, tone), (f"  {words}", Tone.TEXT)]
