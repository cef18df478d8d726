"""The whole OpenAPI document against a service on a real port: every operation keeps its word."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from contract import STREAMS, a_problem, refused_by_a_rule, schema
from hypothesis import HealthCheck, Phase, settings
from schemathesis.generation.stateful.state_machine import APIStateMachine
from standing import Standing, standing

from evalbox.api import throttle

#: Schemathesis itself uses ``random`` within its strategies.
pytestmark = pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
MANY = 1_000_000
FEW = settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


@dataclass(frozen=True)
class Seeded:
    """A box with something in it; ``known`` are values of parameters of paths that exist."""

    standing: Standing
    known: dict[str, Any]

    def call(self, case: schemathesis.Case) -> None:
        case.call_and_validate(
            base_url=self.standing.url,
            headers=self.standing.headers,
            timeout=20,
            additional_checks=[a_problem, refused_by_a_rule],
        )


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    with _seeded(tmp_path_factory.mktemp("contract") / "box") as made:
        yield made


@pytest.fixture
def box_of_its_own(tmp_path: Path) -> Iterator[Seeded]:
    """For who may remove what others count on."""
    with _seeded(tmp_path / "box") as made:
        yield made


@contextmanager
def _seeded(directory: Path) -> Iterator[Seeded]:
    with pytest.MonkeyPatch.context() as patch:
        # Wrong keys are a part of what is tried.
        patch.setattr(throttle, "UNKNOWN_RATE", float(MANY))
        patch.setattr(throttle, "UNKNOWN_BURST", MANY)
        with standing(directory, work=True, rate_limit=float(MANY), rate_burst=MANY) as made:
            yield Seeded(made, _seed(made))


def _seed(made: Standing) -> dict[str, Any]:
    with httpx.Client(base_url=made.url + "/api/v1", headers=made.headers) as client:
        command = ["echo", "hello", ";", "artifact", "/home/agent/kept.txt", "text"]
        body = {"command": command, "engine": "fake", "image": "any", "batch": "seed"}
        evaluation = client.post("/evaluations", json=body | {"artifacts": ["kept.txt"]}).json()
        ended = client.get(f"/evaluations/{evaluation['id']}", params={"wait": 10}).json()
        assert ended["outcome"] == "ok"
        artifacts = client.get(f"/evaluations/{evaluation['id']}/artifacts").json()
        key = client.post("/keys", json={"name": "spare", "scopes": ["read"]}).json()
        wanted = {"base": "any", "engine": "fake", "command": ["echo", "built"]}
        assert "event: built" in client.post("/images/builds", json=wanted).text
        (build,) = client.get("/images/builds").json()
    return {
        "id": evaluation["id"],
        "name": "seed",
        "key": key["id"],
        "number": 1,
        "path": artifacts[0]["path"],
        "build": build["key"],
    }


@schema.parametrize()
@FEW
def test_every_operation_keeps_its_word(case: schemathesis.Case, box: Seeded) -> None:
    box.call(case)


# What is deleted does not exist for the next.
@schema.include(path_regex=r"\{").exclude(method="DELETE").parametrize()
@settings(FEW, max_examples=4)
def test_every_operation_on_what_exists_keeps_its_word(
    case: schemathesis.Case, box: Seeded
) -> None:
    if case.meta is not None and case.meta.generation.mode.is_positive:
        given = (case.path_parameters or {}).items()
        case.path_parameters = {name: box.known.get(name, value) for name, value in given}
    box.call(case)


def test_every_operation_keeps_its_word_after_others(box_of_its_own: Seeded) -> None:
    # Its own key is among what it would revoke.
    lasting = schema.exclude(path_regex="/keys/")

    class Machine(lasting.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {
                "base_url": box_of_its_own.standing.url,
                "headers": box_of_its_own.standing.headers,
                "timeout": 20,
            }

        def validate_response(
            self,
            response: Any,
            case: schemathesis.Case,
            additional_checks: Any = None,
            **kwargs: Any,
        ) -> None:
            super().validate_response(response, case, [a_problem], **kwargs)

    assert issubclass(Machine, APIStateMachine)
    Machine.run(
        settings=settings(FEW, phases=[Phase.generate], max_examples=15, stateful_step_count=12)
    )


@pytest.mark.parametrize("path", STREAMS)
def test_streams_are_streams_and_fail_as_everything_does(path: str, box: Seeded) -> None:
    def filled(**values: Any) -> str:
        return path.format(**{**box.known, **values})

    made = box.standing
    with httpx.Client(base_url=made.url, headers=made.headers, timeout=10) as client:
        with client.stream("GET", filled()) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert next(answer.iter_bytes())
        refused = [(client.get(filled(), params={"nonsense": 1}), 422)]
        if "{" in path:
            refused.append((client.get(filled(id="0" * 22, name="nobody", build="0" * 64)), 404))
        refused.append((httpx.get(made.url + filled()), 401))
        for answer, status in refused:
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
