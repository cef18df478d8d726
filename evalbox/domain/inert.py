"""Makes what a job printed inert: it may not move the cursor, set a title or hide itself.

Control characters are shown as ``cat -v`` shows them (``^[`` for escape). A line feed and a tab
stay, a carriage return becomes a line feed, since a progress bar is better told line by line than
in one long one. Characters that turn the direction of writing are shown by their number.
"""

from __future__ import annotations

import codecs
import re

_DIRECTION = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_ACTIVE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_DIRECTION}\ufff9-\ufffb]")


def _show(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x20 or number == 0x7F:
        return "^" + chr(number ^ 0x40)
    return f"<U+{number:04X}>"


def inert(text: str) -> str:
    """``text`` with nothing in it that a terminal obeys, but line feed and tab."""
    return _ACTIVE.sub(_show, text)


def inert_line(text: str) -> str:
    """The same for text that is to stay on one line."""
    return inert(text).replace("\n", "^J").replace("\t", " ")


class Neutraliser:
    """Does the same to one stream of bytes that comes in pieces, cut anywhere.

    Bytes that are not UTF-8 become U+FFFD.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._after_return = False

    def feed(self, data: bytes, *, final: bool = False) -> str:
        text = self._decoder.decode(data, final)
        if self._after_return and text.startswith("\n"):
            text = text[1:]
            self._after_return = False
        if text:
            self._after_return = text.endswith("\r")
        return inert(text.replace("\r\n", "\n").replace("\r", "\n"))
