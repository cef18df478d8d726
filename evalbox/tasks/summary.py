"""What a source file says of itself at its beginning, in one line."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Characters of it that are kept.
MAX_SUMMARY = 200

_DOCSTRING = re.compile(r"[rRuU]?(\"\"\"|'''|\"|')(?P<text>.*)")
_BLOCK = re.compile(r"/\*+(?P<text>.*)")
_LINE = re.compile(r"(#+|//+|\*)(?P<text>.*)")
_CODING = re.compile(r"[-*\s]*(vim?:|coding[:=]|-\*-|SPDX-|Copyright\b|eslint|prettier|@ts-)")


def summary_of(source: str) -> str:
    """The first line of the docstring or comment that ``source`` begins with; else nothing."""
    for text in _opening(source):
        words = " ".join(text.split())
        if words and not _CODING.match(words):
            return words[:MAX_SUMMARY]
    return ""


def heading_of(markdown: str) -> str:
    """The first heading, or else the first line of text."""
    for line in markdown.splitlines():
        if words := " ".join(line.lstrip("#").split()):
            return words[:MAX_SUMMARY]
    return ""


def _opening(source: str) -> Iterator[str]:
    """The lines of text before the first statement."""
    closing = ""
    lines = source.removeprefix("\ufeff").splitlines()
    for line in lines[1:] if source.startswith("#!") else lines:
        text = line.strip()
        if closing:
            body, ended, _ = text.partition(closing)
            yield body.lstrip("* ")
            if ended:
                return
        elif opened := _DOCSTRING.match(text):
            quote = opened[1]
            body, ended, _ = opened["text"].partition(quote)
            yield body
            if ended or len(quote) == 1:
                return
            closing = quote
        elif opened := _BLOCK.match(text):
            body, ended, _ = opened["text"].partition("*/")
            yield body
            closing = "" if ended else "*/"
        elif opened := _LINE.match(text):
            yield opened["text"]
        elif text:
            return
