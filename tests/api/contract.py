"""The OpenAPI document as schemathesis reads it, and what is looked at beyond its own checks."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.config._checks import (
    NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES,
    POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES,
)

from evalbox.api.app import openapi

#: 413 is for what is too long; 422 for rules that no schema says, see ``refused_by_a_rule``.
_CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # A box that is full says so, and when to come again.
            "not_a_server_error": {"expected-statuses": ["2xx", "3xx", "4xx", "503"]},
            "negative_data_rejection": {
                "expected-statuses": [*NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES, "413"]
            },
            "positive_data_acceptance": {
                "expected-statuses": [*POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES, "413", "422"]
            },
        }
    }
)

DOCUMENT = openapi()


def _streams() -> list[tuple[str, str]]:
    """What is answered without end: the methods and paths."""
    return [
        (method, path)
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
        if "text/event-stream" in _content(operation)
    ]


def _content(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = operation.get("responses", {}).get("200", {}).get("content", {})
    return found


@schemathesis.serializer("application/x-tar")
def _as_it_is(_: schemathesis.SerializationContext, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode()


_FOUND = _streams()
#: The paths of those that only look.
STREAMS = [path for method, path in _FOUND if method == "get"]
schema = schemathesis.openapi.from_dict(DOCUMENT, config=_CONFIG)
for _method, _path in _FOUND:
    schema = schema.exclude(method=_method.upper(), path=_path)


def a_problem(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Every failure has the one shape, and tells nothing of the inside."""
    assert b"Traceback" not in response.content
    assert response.headers.get("x-request-id")
    if response.status_code < 400 or case.operation.path == "/readyz":
        return
    assert response.headers["content-type"] == ["application/problem+json"]
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["code"]
    assert problem["detail"]


def refused_by_a_rule(
    _: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """What the schema allows is refused only by a rule that no schema can say, by its field."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code == 422:
        problem = response.json()
        assert "errors" not in problem, f"the schema allows it: {problem['errors']}"
        if case.media_type in (None, "application/json"):
            assert problem.get("field"), f"which field? {problem}"
