"""The whole OpenAPI document against a service on a real port: every operation keeps its word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.config._checks import (
    NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES,
    POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES,
)
from standing import Standing, standing

from evalbox.api import throttle
from evalbox.api.app import openapi

CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            # 413 is for what is too long; 422 for rules that no schema says, which
            # _refused_by_a_rule looks at.
            "negative_data_rejection": {
                "expected-statuses": [*NEGATIVE_DATA_REJECTION_EXPECTED_STATUSES, "413"]
            },
            "positive_data_acceptance": {
                "expected-statuses": [*POSITIVE_DATA_ACCEPTANCE_EXPECTED_STATUSES, "413", "422"]
            },
        }
    }
)
schema = schemathesis.openapi.from_dict(openapi(), config=CONFIG)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    directory = tmp_path_factory.mktemp("contract") / "box"
    many = 1_000_000
    with pytest.MonkeyPatch.context() as patch:
        # Wrong keys are a part of what is tried.
        patch.setattr(throttle, "UNKNOWN_RATE", float(many))
        patch.setattr(throttle, "UNKNOWN_BURST", many)
        with standing(directory, work=True, rate_limit=float(many), rate_burst=many) as made:
            yield made


def _is_a_problem(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
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


def _refused_by_a_rule(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """What the schema allows is refused only by a rule that no schema can say, by its name."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if response.status_code == 422:
        problem = response.json()
        assert "errors" not in problem, f"the schema allows it: {problem['errors']}"
        assert problem.get("field"), f"which field? {problem}"


@schema.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_every_operation_keeps_its_word(case: schemathesis.Case, box: Standing) -> None:
    case.call_and_validate(
        base_url=box.url,
        headers=box.headers,
        timeout=20,
        additional_checks=[_is_a_problem, _refused_by_a_rule],
    )
