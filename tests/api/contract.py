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


def _streams() -> list[str]:
    """The paths of what is answered without end."""
    return [
        path
        for path, methods in DOCUMENT["paths"].items()
        if "text/event-stream" in _content(methods.get("get", {}))
    ]


def _content(operation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = operation.get("responses", {}).get("200", {}).get("content", {})
    return found


STREAMS = _streams()
schema = schemathesis.openapi.from_dict(DOCUMENT, config=_CONFIG).exclude(path=STREAMS)


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
        assert problem.get("field"), f"which field? {problem}"
