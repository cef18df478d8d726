"""Errors as problem details (RFC 9457), and back: what crosses HTTP is raised again there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

# Pydantic needs these before Python 3.12.
from typing_extensions import NotRequired, TypedDict  # noqa: UP035

from evalbox.errors import AmbiguousId, Busy, EvalboxError, InvalidInput, ServiceError

MEDIA_TYPE = "application/problem+json"
_TYPE = "urn:evalbox:problem:"


class Complaint(TypedDict):
    """One thing that is wrong with what was sent; ``field`` is empty for the whole of it."""

    field: str
    reason: str


class ProblemDocument(TypedDict):
    """Problem details (RFC 9457) of every failure.

    ``code`` says which kind of failure it is, and stays the same from release to release; there
    may come new ones. ``detail`` says what happened, ``hint`` what can be done, if anything.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    request_id: NotRequired[str]
    field: NotRequired[str]
    errors: NotRequired[list[Complaint]]
    candidates: NotRequired[list[str]]
    retry_after: NotRequired[float]


def problem(error: EvalboxError, status: int, *, request_id: str = "") -> dict[str, Any]:
    """``type`` and ``code`` say which kind of error, ``detail`` what happened, ``hint`` what to do.

    ``field`` names what was at fault, ``candidates`` what a short id may stand for, and
    ``retry_after`` the seconds to wait, each where there is one.
    """
    document: dict[str, Any] = {
        "type": _TYPE + error.code,
        "title": error.code.replace("_", " "),
        "status": status,
        "code": error.code,
        "detail": shortened(error.message),
        "hint": shortened(error.hint),
    }
    if request_id:
        document["request_id"] = request_id
    match error:
        case InvalidInput() if error.field:
            document["field"] = shortened(error.field, 200)
        case AmbiguousId():
            document["candidates"] = list(error.candidates)
        case Busy():
            document["retry_after"] = error.retry_after
    return document


def shortened(text: str, most: int = 1000) -> str:
    """``text`` as a problem may have it: what a client sent is not sent back at length.

    What cannot be encoded is shown as question marks.
    """
    if len(text) > most:
        text = f"{text[: most - 1]}…"
    return text.encode(errors="replace").decode()


def error_from(document: Mapping[str, Any]) -> EvalboxError:
    """The error that a problem stands for; a ``ServiceError`` where its code is unknown here."""
    message, hint = str(document.get("detail", "")), str(document.get("hint", ""))
    kind = _kinds().get(str(document.get("code")), ServiceError)
    if issubclass(kind, InvalidInput):
        return kind(message, hint=hint, field=str(document.get("field", "")))
    if issubclass(kind, AmbiguousId):
        return kind(message, hint=hint, candidates=tuple(document.get("candidates", ())))
    if issubclass(kind, Busy):
        return kind(message, hint=hint, retry_after=float(document.get("retry_after", 1.0)))
    return kind(message, hint=hint)


@cache
def _kinds() -> dict[str, type[EvalboxError]]:
    found: dict[str, type[EvalboxError]] = {}
    waiting: list[type[EvalboxError]] = [EvalboxError]
    while waiting:
        kind = waiting.pop()
        # What a part of evalbox makes of an error for itself is to others that error.
        if "code" in vars(kind):
            found[kind.code] = kind
        waiting += kind.__subclasses__()
    return found
