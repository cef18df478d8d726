"""The OpenAPI document: what FastAPI makes of the routes, and the failures that they share."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import TypeAdapter

from evalbox.wire.problem import MEDIA_TYPE, ProblemDocument

_SCHEMAS = "#/components/schemas/"
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
#: What FastAPI would say of invalid input, which is a problem here as everything else is.
_FOREIGN = ("HTTPValidationError", "ValidationError")

#: In the order in which they are shown.
TAGS = {
    "evaluations": "What is to be run, how it stands, and what came of it.",
    "blobs": "Contents of files, uploaded before an evaluation names them.",
    "families": "Attempts at tasks of families of the METR Task Standard.",
    "batches": "Groups of evaluations with a limit of their own.",
    "sandboxes": "Sandboxes that stay, to run commands in and to exchange files with.",
    "queue": "What waits, how much runs at once, and what could not be run.",
    "events": "What happens, as it happens, with nothing missed.",
    "images": "What sandboxes are made of.",
    "host": "The machine, and what is asked of it.",
    "webhooks": "Who is told when something happens.",
    "keys": "Who may use the box.",
    "audit": "The record of who did what.",
    "health": "Whether the service lives, and whether it can do its work.",
}

_FAILURES = {
    400: "The request is not HTTP, or its body is not JSON",
    401: "No key was sent, or none that is in force",
    403: "The key has not the scope that this needs, or a page of another site asks",
    404: "There is no such thing",
    409: "It is in no state for this, was made for something else, or the id is ambiguous",
    410: "The sandbox exists no longer",
    413: "More bytes than are taken in at once",
    416: "The range begins behind the end",
    422: "Something in it cannot be; `field` and `errors` say what",
    429: "Too many requests; `Retry-After` says when the next may come",
    500: "A mistake in evalbox; its log has more, under the request id",
    502: "The container engine failed",
    503: "Not now; `Retry-After` says when it may be tried again, where that is known",
    507: "There is no space left for what must be written",
}


class Api(FastAPI):
    """FastAPI whose document says of every route how it may fail."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    components = document["components"]
    schemas = components["schemas"]
    for name in _FOREIGN:
        schemas.pop(name, None)
    schema = TypeAdapter(ProblemDocument).json_schema(ref_template=_SCHEMAS + "{model}")
    schemas |= schema.pop("$defs")
    schemas["ProblemDocument"] = schema
    components["responses"] = {_name(status): _response(status) for status in _FAILURES}
    used: set[str] = set()
    for path in document["paths"].values():
        for method in _METHODS & path.keys():
            _complete(path[method], method)
            used.update(path[method].get("tags", ()))
    document["tags"] = [
        {"name": name, "description": text} for name, text in TAGS.items() if name in used
    ]
    return document


def _complete(operation: dict[str, Any], method: str) -> None:
    operation["summary"] = operation["operationId"].replace("_", " ").capitalize()
    responses = operation["responses"]
    if MEDIA_TYPE not in responses.get("422", {}).get("content", {}):
        responses.pop("422", None)
    # A route names in ``responses`` what it alone may fail with, by no more than the status.
    named = {int(status) for status, said in responses.items() if "content" not in said}
    for status in sorted(_failures(operation, method) | (named & _FAILURES.keys())):
        if status in named or str(status) not in responses:
            responses[str(status)] = {"$ref": f"#/components/responses/{_name(status)}"}
    operation["responses"] = dict(sorted(responses.items()))


def _failures(operation: dict[str, Any], method: str) -> set[int]:
    """How the operation can fail, by what it takes."""
    found = {413, 429, 500}
    body = operation.get("requestBody")
    parameters = operation.get("parameters", [])
    if "security" in operation:
        found |= {401, 403, 502, 503}
    if body is not None:
        found |= {400, 404, 409}
    if body is not None or parameters:
        found.add(422)
    if any(parameter["in"] == "path" for parameter in parameters):
        found |= {404, 409}
    if method != "get" and "security" in operation:
        found |= {409, 507}
    return found


def _name(status: int) -> str:
    return f"Problem{status}"


def _response(status: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": _FAILURES[status],
        "content": {MEDIA_TYPE: {"schema": {"$ref": _SCHEMAS + "ProblemDocument"}}},
    }
    if status in (429, 503):
        whole = {"type": "integer", "minimum": 1}
        made["headers"] = {"Retry-After": {"description": "Seconds to wait", "schema": whole}}
    return made
