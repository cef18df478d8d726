"""The one place that says which HTTP status an error has, and the shape of every failure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.routing import Match

from evalbox import errors
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.telemetry.logs import get_logger
from evalbox.wire.problem import MEDIA_TYPE, problem, shortened

log = get_logger(__name__)

#: The first class that fits counts.
STATUSES: tuple[tuple[type[EvalboxError], int], ...] = (
    (errors.InvalidTransition, 409),
    (errors.InvalidInput, 422),
    (errors.AmbiguousId, 409),
    (errors.Conflict, 409),
    (errors.NotFound, 404),
    (errors.TooLarge, 413),
    (errors.RateLimited, 429),
    (errors.Busy, 503),
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.SandboxGone, 410),
    (errors.EngineUnavailable, 503),
    (errors.EngineError, 502),
    (errors.StoreFull, 507),
    (errors.StoreLocked, 503),
    # It is about to end: clients look for the next one.
    (errors.ServiceUnreachable, 503),
)


def status_of(error: EvalboxError) -> int:
    for kind, status in STATUSES:
        if isinstance(error, kind):
            return status
    return 500


class ProblemResponse(JSONResponse):
    media_type = MEDIA_TYPE


def response(error: EvalboxError, *, request_id: str, status: int = 0) -> ProblemResponse:
    """``status`` 0 is the error's own."""
    status = status or status_of(error)
    headers = {}
    if isinstance(error, errors.Busy):
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="evalbox"'
    return ProblemResponse(
        problem(error, status, request_id=request_id), status_code=status, headers=headers
    )


def install(app: FastAPI) -> None:
    """Makes every failure of ``app`` a problem."""
    app.add_exception_handler(EvalboxError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def request_id(request: Request) -> str:
    return str(request.scope.get("evalbox.request_id", ""))


async def _known(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, EvalboxError)  # noqa: S101 - it is registered for no other
    answer = response(error, request_id=request_id(request))
    # That there is no room is no mistake, and clients could fill the log with it.
    if answer.status_code >= 500 and not isinstance(error, errors.Busy):
        log.error("request failed", error=error.message, code=error.code, path=request.url.path)
    return answer


async def _invalid(request: Request, error: Exception) -> ProblemResponse:
    # It is registered for no others.
    assert isinstance(error, RequestValidationError | WebSocketRequestValidationError)  # noqa: S101
    found = [_told(item) for item in error.errors()[:20]]
    first = found[0] if found else {"field": "", "reason": "cannot be read"}
    named = f"{first['field']}: " if first["field"] else ""
    refused = InvalidInput(f"{named}{first['reason']}", field=first["field"])
    answer = problem(refused, 422, request_id=request_id(request)) | {"errors": found}
    return ProblemResponse(answer, status_code=422)


def _told(item: Mapping[str, Any]) -> dict[str, str]:
    """One complaint of the validator, without the input that it is about: that may be secret."""
    if item["type"] == "json_invalid":
        return {"field": "", "reason": "the body is not valid JSON"}
    # What comes first says whether it is of the body, the path, the query or a header.
    place = [str(part) for part in item["loc"][1:]]
    reason = str(item["msg"]).removeprefix("Value error, ")
    reason = reason[:1].lower() + reason[1:]
    return {"field": shortened(".".join(place), 200), "reason": shortened(reason, 200)}


async def _http(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 - it is registered for no other
    phrase = HTTPStatus(error.status_code).phrase.lower()
    known = EvalboxError(f"{request.method} {request.url.path}: {phrase}")
    document = problem(known, error.status_code, request_id=request_id(request))
    document |= {"code": phrase.replace(" ", "_"), "title": phrase, "type": "about:blank"}
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_methods(request)))
    return ProblemResponse(document, status_code=error.status_code, headers=headers)


def _methods(request: Request) -> set[str]:
    """Every method that the path knows; the router tells those of the first route alone."""
    found: set[str] = set()
    for route in request.app.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found
