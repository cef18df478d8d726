"""From what a job left in its score file to its score. Nothing is guessed, clamped or made a 0."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from evalbox.domain.quantity import format_size
from evalbox.domain.score import Score, ScoreCheck, ScoreKind

#: Bytes of a score file that are looked at; a larger one is none.
MAX_SCORE_FILE = 64 << 10
MAX_CHECKS = 1000
#: Characters that are kept: of the text itself, of a message or a detail, of a check's name.
MAX_RAW, MAX_WORDS, MAX_NAME = 4096, 500, 200

_BARE = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_CHECK_FIELDS = "passed, value and detail"


class _Wrong(Exception):
    """The text says what is wrong with it."""


def parse_score(content: bytes) -> Score:
    """The score that a file of this content says.

    A number as JSON or Python writes one; ``null``, which leaves it to a person; or an object::

        {"score": 0.75, "message": "text", "checks": {"compiles": true, "speed": 1.8,
         "style": {"passed": false, "value": 0.4, "detail": "text"}}}

    ``score`` is a number or null, and the only thing that must be there. ``checks`` may be a list
    as well, of objects that have a ``name`` too. All else is ``INVALID``, with the reason.
    """
    raw = _text(content.decode(errors="replace"), MAX_RAW)
    try:
        if len(content) > MAX_SCORE_FILE:
            raise _Wrong(f"is over {format_size(MAX_SCORE_FILE)}")
        return _score(_document(content), raw)
    except _Wrong as error:
        return invalid(f"the score file {error}", raw)


def invalid(reason: str, raw: str = "") -> Score:
    return Score(ScoreKind.INVALID, reason=reason, raw=raw)


def missing(path: str) -> Score:
    """Of a job that ended well and did not leave the file that was to hold its score."""
    return invalid(f"no file {path}")


def _document(content: bytes) -> Any:
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _Wrong("is not UTF-8") from None
    if not text:
        raise _Wrong("is empty")
    if _BARE.fullmatch(text):
        return float(text)
    try:
        return json.loads(
            text, parse_int=float, parse_constant=_constant, object_pairs_hook=_object
        )
    except ValueError:
        raise _Wrong("is neither a number nor JSON") from None
    except RecursionError:
        raise _Wrong("is nested too deeply") from None


def _constant(name: str) -> float:
    raise _Wrong(f"holds {name}, which is no number")


def _object(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise _Wrong(f"says {_text(twice, MAX_NAME)!r} twice")
    return found


def _score(document: Any, raw: str) -> Score:
    message = ""
    checks: tuple[ScoreCheck, ...] = ()
    if isinstance(document, dict):
        if "score" not in document:
            raise _Wrong("has no score in it")
        message = _words(document, "message", "")
        checks = _checks(document.get("checks"))
        document = document["score"]
    if document is None:
        return Score(ScoreKind.MANUAL, reason=message, raw=raw, checks=checks)
    return Score(ScoreKind.NUMBER, _number(document, "the score"), message, raw, checks)


def _checks(given: Any) -> tuple[ScoreCheck, ...]:
    match given:
        case None:
            return ()
        case dict():
            found = [_check(name, value) for name, value in given.items()]
        case list():
            found = [_listed(entry) for entry in given]
        case _:
            raise _Wrong(f"has {_kind(given)} for checks")
    if len(found) > MAX_CHECKS:
        raise _Wrong(f"has more than {MAX_CHECKS} checks")
    return tuple(found)


def _listed(entry: Any) -> ScoreCheck:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        raise _Wrong("has a check without a name")
    return _check(entry["name"], entry)


def _check(name: str, given: Any) -> ScoreCheck:
    shown = _text(name, MAX_NAME)
    where = f"the check {shown!r}"
    match given:
        case bool():
            return ScoreCheck(shown, passed=given)
        case float():
            return ScoreCheck(shown, value=_number(given, where))
        case dict():
            passed, value = given.get("passed"), given.get("value")
            if passed is not None and not isinstance(passed, bool):
                raise _Wrong(f"has {_kind(passed)} for whether {where} passed")
            return ScoreCheck(
                shown,
                passed,
                None if value is None else _number(value, where),
                _words(given, "detail", f" of {where}"),
            )
        case _:
            wanted = f"true, false, a number, or an object of {_CHECK_FIELDS}"
            raise _Wrong(f"has {_kind(given)} for {where}, not {wanted}")


def _number(given: Any, where: str) -> float:
    if not isinstance(given, float):
        raise _Wrong(f"has {_kind(given)} for {where}, not a number")
    if not math.isfinite(given):
        raise _Wrong(f"has a number for {where} that is too large")
    return given


def _words(document: dict[str, Any], field: str, where: str) -> str:
    given = document.get(field)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise _Wrong(f"has {_kind(given)} for the {field}{where}, not text")
    return _text(given, MAX_WORDS)


def _text(given: str, most: int) -> str:
    """Bounded, and such as can be written in UTF-8."""
    return given[:most].encode(errors="replace").decode()


def _kind(given: Any) -> str:
    match given:
        case None:
            return "null"
        case bool():
            return "true" if given else "false"
        case str():
            return "text"
        case float():
            return "a number"
        case list():
            return "a list"
        case _:
            return "an object"
