"""Lines as Textual draws them, in as few pieces as their styles allow: each piece costs the
terminal some twenty bytes, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip


def joined(spans: Iterable[tuple[str, Style]], width: int) -> Strip:
    """The spans one after the other, cut or filled to ``width`` cells.

    A span of nothing but spaces goes with the one before: what is not written has no colour.
    """
    pieces: list[tuple[str, Style]] = []
    for text, style in spans:
        if not text:
            continue
        if pieces and (style == pieces[-1][1] or (text.isspace() and _same_ground(style, pieces))):
            pieces[-1] = (pieces[-1][0] + text, pieces[-1][1])
        else:
            pieces.append((text, style))
    strip = Strip([Segment(text, style) for text, style in pieces])
    return strip.adjust_cell_length(width, pieces[-1][1] if pieces else None)


def _same_ground(style: Style, pieces: list[tuple[str, Style]]) -> bool:
    """Whether spaces look the same in both."""
    last = pieces[-1][1]
    return (
        style.bgcolor == last.bgcolor
        and style.reverse == last.reverse
        and not style.underline
        and not last.underline
    )
