"""The characters that pictures are made of, in a set for each kind of terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from evalbox.domain.state import State


@dataclass(frozen=True, slots=True)
class Glyphs:
    """``levels`` go from nothing to full, in equal steps; every other is one cell wide."""

    states: Mapping[State, str]
    levels: str
    bar_full: str
    bar_rest: str
    phases: Mapping[State, str]
    mark: str
    cursor: str
    line: str
    dot: str
    ellipsis: str
    ascending: str
    descending: str
    limit: str
    errors: str
    opened: str
    closed: str
    strange: str


BLOCK = Glyphs(
    states={
        State.QUEUED: "○",
        State.STARTING: "◔",
        State.RUNNING: "●",
        State.SCORING: "◕",
        State.COMPLETED: "✓",
        State.FAILED: "✗",
        State.CANCELLED: "–",
        State.DEAD: "†",
    },
    levels=" ▁▂▃▄▅▆▇█",
    bar_full="█",
    bar_rest="░",
    phases={
        State.QUEUED: "░",
        State.STARTING: "▒",
        State.RUNNING: "█",
        State.SCORING: "▓",
    },
    mark="◆",
    cursor="▌",
    line="─",
    dot="·",
    ellipsis="…",
    ascending="↑",
    descending="↓",
    limit="┄",
    errors="▎",
    opened="▾",
    closed="▸",
    strange="\ufffd",
)

ASCII = Glyphs(
    states={
        State.QUEUED: ".",
        State.STARTING: ">",
        State.RUNNING: "*",
        State.SCORING: "s",
        State.COMPLETED: "+",
        State.FAILED: "x",
        State.CANCELLED: "-",
        State.DEAD: "!",
    },
    levels=" _.:-=+*#",
    bar_full="#",
    bar_rest=".",
    phases={
        State.QUEUED: ".",
        State.STARTING: "-",
        State.RUNNING: "#",
        State.SCORING: "=",
    },
    mark="*",
    cursor=">",
    line="-",
    dot="-",
    ellipsis="~",
    ascending="^",
    descending="v",
    limit="-",
    errors="!",
    opened="-",
    closed="+",
    strange="?",
)


def sparkline(values: Sequence[float], width: int, top: float, glyphs: Glyphs) -> str:
    """The last ``width`` values as columns of glyphs, full at ``top``; padded at the left."""
    levels = glyphs.levels
    last = len(levels) - 1
    drawn = [_level(value, top, last) for value in values[-width:]]
    return levels[0] * (width - len(drawn)) + "".join(levels[level] for level in drawn)


def _level(value: float, top: float, last: int) -> int:
    """What is more than nothing is seen, and only the top is full."""
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(last, int(value / top * last)))


def bar(share: float, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """The filled and the empty part of a bar; ``share`` from 0 to 1."""
    filled = max(0, min(width, round(share * width)))
    if share > 0 and filled == 0 and width:
        filled = 1
    return glyphs.bar_full * filled, glyphs.bar_rest * (width - filled)


def resampled(values: Sequence[float], width: int) -> list[float]:
    """At most ``width`` values that stand for all: the greatest of each stretch."""
    count = len(values)
    if count <= width:
        return list(values)
    edges = [count * step // width for step in range(width + 1)]
    return [max(values[low:high]) for low, high in pairwise(edges)]
