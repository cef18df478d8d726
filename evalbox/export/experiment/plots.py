"""Plots as SVG inside a page: drawn with the page's own colours, read without a script.

Every text is escaped; every number is ours. Lengths are in the units of the picture, which the page
scales.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from html import escape

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.experiment import Line, verdict
from evalbox.domain.inert import inert_line
from evalbox.domain.quantity import format_duration

_WIDTH = 720
_LABEL = 200
_ROW = 26
_BINS = 20
#: Evaluations that a timeline has room for, and lanes.
MOST_SHOWN = 2000
_LANE = 7


def text(value: str, most: int = 80) -> str:
    """What others wrote, on one line, as HTML."""
    line = inert_line(value).encode("utf-8", "replace").decode()
    return escape(line if len(line) <= most else line[: most - 1] + "…")


def rates(lines: Sequence[Line]) -> str:
    """A pass rate in its interval, a row for each agent."""
    rows = []
    for number, line in enumerate(lines):
        y = number * _ROW + 14
        rows.append(_label(y, line.agent or "(none)"))
        if line.pass_rate is None or line.interval is None:
            rows.append(f'<text class="faint" x="{_LABEL + 8}" y="{y + 4}">no verdict</text>')
            continue
        low, high = (_along(value) for value in line.interval)
        told = f"{line.pass_rate:.1%}, {line.interval[0]:.1%} to {line.interval[1]:.1%}"
        rows.append(
            f"<g><title>{text(line.agent)}: {told}</title>"
            f'<line class="whisker" x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="point" cx="{_along(line.pass_rate):.1f}" cy="{y}" r="5"/></g>'
        )
    height = len(lines) * _ROW
    marks = "".join(
        f'<line class="grid" x1="{_along(at):.1f}" x2="{_along(at):.1f}" y1="0" y2="{height}"/>'
        f'<text class="tick" x="{_along(at):.1f}" y="{height + 16}">{at:.0%}</text>'
        for at in (0.0, 0.25, 0.5, 0.75, 1.0)
    )
    return _svg(height + 24, marks + "".join(rows), "Pass rate of each agent with its interval")


def histogram(scores: Sequence[float]) -> str:
    """How many scores lie where, in bins of equal width."""
    low, high = min(scores), max(scores)
    bins = [0] * (_BINS if high > low else 1)
    # Halved where the difference of the largest numbers is none.
    half = 1.0 if math.isfinite(high - low) else 0.5
    for score in scores:
        share = (score * half - low * half) / (high * half - low * half) if high > low else 0.0
        bins[min(len(bins) - 1, int(share * len(bins)))] += 1
    top, width, height = max(bins), (_WIDTH - 40) / _BINS, 150
    bars = []
    for number, count in enumerate(bins):
        tall = height * count / top
        start = low * (1 - number / len(bins)) + high * (number / len(bins))
        bars.append(
            f"<g><title>from {start:.4g}: {count:,}</title>"
            f'<rect class="bar" x="{20 + number * width:.1f}" y="{height - tall + 12:.1f}"'
            f' width="{max(1.0, width - 2):.1f}" height="{tall:.1f}"/></g>'
        )
    ends = f'<text class="tick left" x="20" y="{height + 30}">{low:.4g}</text>'
    if high > low:
        ends += f'<text class="tick right" x="{_WIDTH - 20}" y="{height + 30}">{high:.4g}</text>'
    ends += f'<text class="tick left" x="20" y="10">{top:,}</text>'
    return _svg(height + 38, "".join(bars) + ends, "How many scores lie where")


def timeline(items: Sequence[Evaluation], least: float | None) -> str:
    """Each evaluation from its last start to its end, in as few lanes as they need.

    The first ``MOST_SHOWN`` of them; empty where none has run.
    """
    spans = sorted(
        (item.started_at, item.finished_at, item.id, item)
        for item in items
        if item.started_at is not None and item.finished_at is not None
    )[:MOST_SHOWN]
    if not spans:
        return ""
    begin, end = spans[0][0], max(span[1] for span in spans)
    scale = (_WIDTH - 40) / max(end - begin, 1e-3)
    free: list[tuple[float, int]] = []
    drawn, lanes = [], 0
    for start, stop, _, item in spans:
        if free and free[0][0] <= start:
            lane = heapq.heappop(free)[1]
        else:
            lane, lanes = lanes, lanes + 1
        heapq.heappush(free, (max(stop, start), lane))
        x, wide = 20 + (start - begin) * scale, max(1.0, (stop - start) * scale)
        told = (
            f"{text(item.spec.name)} {item.outcome or ''} {format_duration(max(0, stop - start))}"
        )
        drawn.append(
            f"<g><title>{told}</title>"
            f'<rect class="{verdict_class(item, least)}" x="{x:.1f}" y="{lane * _LANE}"'
            f' width="{wide:.1f}" height="{_LANE - 2}"/></g>'
        )
    height = lanes * _LANE
    ends = (
        f'<text class="tick left" x="20" y="{height + 14}">0</text>'
        f'<text class="tick right" x="{_WIDTH - 20}" y="{height + 14}">'
        f"{format_duration(end - begin)}</text>"
    )
    return _svg(height + 22, "".join(drawn) + ends, "When each evaluation ran")


def verdict_class(item: Evaluation, least: float | None) -> str:
    """Of its colour."""
    return {True: "passed", False: "failed", None: "unsettled"}[verdict(item, least)]


def _along(share: float) -> float:
    share = share if math.isfinite(share) else 0.0
    return _LABEL + 10 + share * (_WIDTH - _LABEL - 40)


def _label(y: float, name: str) -> str:
    told = f"<title>{text(name, 200)}</title>{text(name, 28)}"
    return f'<text class="label" x="{_LABEL}" y="{y + 4}">{told}</text>'


def _svg(height: float, inside: str, told: str) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{escape(told)}">'
        f"{inside}</svg>"
    )
