"""Text of users and jobs, made to fit cells of a terminal: inert, and of a width that is agreed.

Terminals disagree on how wide sequences are that join several characters into one picture. They
agree on each by itself, so what joins is left out, and columns stay in line.
"""

from __future__ import annotations

import re
import sys
from functools import lru_cache

from rich._unicode_data import load as load_widths
from rich.cells import get_character_cell_size as width_of

from evalbox.domain.inert import inert_line

#: Joiners, invisible characters, variation selectors, skin tones; flags become their two letters.
_DROPPED = [
    0x00AD, 0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180E, 0x3164, 0xFEFF, 0xFFA0,
    *range(0x180B, 0x180E), *range(0x200B, 0x2010), *range(0x2060, 0x2070),
    *range(0xFE00, 0xFE10), *range(0x1F3FB, 0x1F400), *range(0xE0000, 0xE0200),
]  # fmt: skip
_STEADY = dict.fromkeys(_DROPPED) | {0x1F1E6 + place: 65 + place for place in range(26)}
#: Beyond this character a pattern tries one range after the other.
_LAST_FAST = "\uffff"
_UNSTEADY = re.compile(
    "[" + "".join(chr(code) for code in _STEADY if chr(code) <= _LAST_FAST)
    + "\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ff]"
)  # fmt: skip
#: Marks that stand above and below one character; the rest of a heap of them is left out.
_MOST_MARKS = 2
#: Cells that are kept as they were fitted: some of the largest screens. Every one that has been
#: seen would be 350 bytes for as long as the screen is shown.
_FITTED = 4096
#: Of a cell each, and none of them dropped: nearly all that programs print.
_SINGLE = re.compile(r"[\x20-\x7e\xa1-\xac\xae-\u02ff\u0370-\u0482\u2500-\u25fc\u2800-\u28ff]*")


def single(text: str) -> bool:
    """Whether every character is known, at once, to be of one cell. False is no."""
    return text.isascii() or _SINGLE.fullmatch(text) is not None


@lru_cache(maxsize=2)
def _heap(most: str) -> re.Pattern[str]:
    """Of marks up to the character ``most``."""
    ranges = [
        f"{chr(first)}-{min(chr(last), most)}"
        for first, last, width in load_widths("auto").widths
        if width == 0 and first and chr(first) <= most
    ]
    return re.compile(f"[{''.join(ranges)}]{{{_MOST_MARKS + 1},}}")


def steady(text: str) -> str:
    """``text`` on one line, with nothing that a terminal obeys and no width that is in doubt."""
    if text.isprintable() and single(text):
        return text
    # Patterns go through text many times faster than a table does that is asked for each character.
    text = inert_line(text)
    if _UNSTEADY.search(text):
        text = text.translate(_STEADY)
    return _without_heaps(text)


def _without_heaps(text: str) -> str:
    characters = set(text)
    if all(map(width_of, characters)):
        return text
    heap = _heap(_LAST_FAST if max(characters) <= _LAST_FAST else chr(sys.maxunicode))
    return heap.sub(lambda found: found[0][:_MOST_MARKS], text)


def cells(text: str) -> int:
    """How wide ``text`` is, which is steady."""
    return len(text) if single(text) else sum(map(width_of, text))


@lru_cache(maxsize=_FITTED)
def fit(text: str, width: int, *, right: bool = False, ellipsis: str = "…") -> str:
    """``text`` made steady, cut or filled to exactly ``width`` cells."""
    if width <= 0:
        return ""
    text = steady(text)
    size = cells(text)
    if size > width:
        return cut(text, width, ellipsis)
    gap = " " * (width - size)
    return gap + text if right else text + gap


def cut(text: str, width: int, ellipsis: str) -> str:
    """The beginning of ``text``, of exactly ``width`` cells, with ``ellipsis`` at its end."""
    if text.isascii():
        return text[: width - 1] + ellipsis
    kept, size = [], 0
    for character in text:
        wide = width_of(character)
        if size + wide > width - 1:
            break
        kept.append(character)
        size += wide
    return "".join(kept) + ellipsis + " " * (width - 1 - size)


def window(text: str, start: int, width: int) -> str:
    """The cells from ``start`` on, exactly ``width`` of them. ``text`` is steady."""
    if single(text):
        return text[start : start + width].ljust(width)
    kept, at = [], 0
    for character in text:
        wide = width_of(character)
        if at >= start + width or (at + wide > start + width):
            break
        if at >= start:
            kept.append(character)
        elif at + wide > start:
            kept.append(" ")
        at += wide
    shown = "".join(kept)
    return shown + " " * (width - cells(shown))


@lru_cache(maxsize=1024)
def wrapped(text: str, width: int) -> tuple[str, ...]:
    """``text``, which is steady, in stretches of at most ``width`` cells; at least one of them."""
    if single(text):
        return tuple(text[at : at + width] for at in range(0, len(text), width)) or ("",)
    if set(map(width_of, set(text))) == {2}:
        step = max(1, width // 2)
        return tuple(text[at : at + step] for at in range(0, len(text), step))
    stretches, begin, size = [], 0, 0
    for place, wide in enumerate(map(width_of, text)):
        if size + wide > width and place > begin:
            stretches.append(text[begin:place])
            begin, size = place, 0
        size += wide
    return (*stretches, text[begin:])


def height(text: str, size: int, width: int, *, exact: bool = True) -> int:
    """In how many stretches ``text`` of ``size`` cells is ``wrapped``; or at most, and at once."""
    if size <= width:
        return 1
    if single(text):
        return -(-size // width)
    return len(wrapped(text, width)) if exact else -(-size // max(1, width - 1))
