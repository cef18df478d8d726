"""The line of what a job printed that tells best what went wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest

from evalbox.domain.inert import inert_line
from evalbox.domain.outcome import Outcome

MAX_LINE = 200
#: Characters of a line that are looked at.
_LONGEST = 2000

#: What a terminal would obey: sequences of control, and what stands in for other text.
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC, DCS and the like, up to their end
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
)
#: Of an exception in a group it stands behind lines that are drawn.
_TRACEBACK = re.compile(r"([\s|+]*)(Exception Group )?Traceback \(most recent call last\):$")
#: "ValueError: ...", "Uncaught TypeError [CODE]: ...", "java.io.IOException: ...", "E   KeyError".
_NAMED = re.compile(r"(E\s+)?(Uncaught )?[\w.$:]*(Error|Exception)( \[\w+\])?(:|$)")
#: What Rust and C++ say in the line before the one that tells what it is about.
_ANNOUNCED = re.compile(r"thread .* panicked at .*:$|terminate called after throwing ")
_WORDS = re.compile(
    r"\b\w*error\b|\bpanic|\bfatal|exception|not found|no such|\bcannot\b|\bcan't\b|denied"
    r"|\bfailed\b|\bfailure\b|\babort|segmentation fault|terminate called|out of memory",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"\b(0|no|without) (errors?|failures?|exceptions?|failed)\b", re.IGNORECASE)

#: Of which nothing that the job printed is the cause.
_ELSEWHERE = frozenset({Outcome.OK, Outcome.CANCELLED, Outcome.INFRA_ERROR})
#: Whose last words tell what went wrong, whatever they are: it ended by itself.
_BY_ITSELF = frozenset({Outcome.FAILED, Outcome.KILLED, Outcome.TASK_ERROR})


def has_complaint(outcome: Outcome) -> bool:
    """Whether the output may tell why an attempt ended so."""
    return outcome not in _ELSEWHERE


def complaint(outcome: Outcome, stderr: Sequence[bytes], stdout: Sequence[bytes] = ()) -> str:
    """The best line, of at most 200 characters; empty where there is none.

    It is looked for in standard error, and in standard output where that is empty. Each is the
    whole, or its beginning and its end. The last line of the last Python traceback is best; else
    the first line that begins with the name of an error; else the first that speaks of one; else,
    of a job that ended by itself, the last.
    """
    if not has_complaint(outcome):
        return ""
    lines = _lines(stderr) or _lines(stdout)
    found = _traceback(lines) or _first(lines)
    if not found and outcome in _BY_ITSELF and lines:
        found = lines[-1]
    return _short(found.strip())


def _lines(pieces: Sequence[bytes]) -> list[str]:
    """Those that are not empty. What a piece begins or ends with may be half a line."""
    found: list[str] = []
    for number, piece in enumerate(pieces):
        lines = piece.decode(errors="replace").replace("\r\n", "\n").split("\n")
        if number > 0:
            del lines[0]
        if number < len(pieces) - 1:
            del lines[-1:]
        # Of a line that was written over, as a progress bar is, the last state was seen.
        shown = (_ESCAPES.sub("", line).rstrip("\r").rpartition("\r")[2] for line in lines)
        found += [line[:_LONGEST].rstrip() for line in shown if line.strip()]
    return found


def _traceback(lines: Sequence[str]) -> str:
    starts = [
        (number, match) for number, line in enumerate(lines) if (match := _TRACEBACK.match(line))
    ]
    for start, match in reversed(starts):
        for line in lines[start + 1 :]:
            said = line[match.end(1) :]
            if said and not said[0].isspace():
                return said
    return ""


def _first(lines: Sequence[str]) -> str:
    for line in lines:
        if match := _NAMED.match(line):
            return line[match.end(1) :] if match[1] else line
    for line, after in zip_longest(lines, lines[1:], fillvalue=""):
        if _WORDS.search(line) and not _HARMLESS.search(line):
            return after if after and _ANNOUNCED.match(line) else line
    return ""


def _short(line: str) -> str:
    # What is left that turns the direction of writing is shown by its number.
    text = inert_line(line[: 2 * MAX_LINE])
    return text if len(text) <= MAX_LINE else text[: MAX_LINE - 1] + "…"
