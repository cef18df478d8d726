"""One exit status for each way of ending."""

from __future__ import annotations

import pytest

from evalbox import errors
from evalbox.cli import status
from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.state import final_state


def ended(outcome: Outcome, code: int | None = None) -> Evaluation:
    spec = EvaluationSpec(name="x", command=("true",), image="i")
    return Evaluation(
        id="0" * 22,
        spec=spec,
        state=final_state(outcome),
        created_at=0.0,
        updated_at=0.0,
        outcome=outcome,
        exit_code=code,
    )


def every_error(kind: type[errors.EvalboxError]) -> list[type[errors.EvalboxError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in every_error(child))]


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        (Outcome.OK, 0, 0),
        (Outcome.FAILED, 3, 3),
        (Outcome.FAILED, 255, 255),
        (Outcome.FAILED, 137, 137),
        (Outcome.FAILED, None, 1),
        (Outcome.FAILED, 256, 1),
        (Outcome.KILLED, 143, 143),
        (Outcome.KILLED, None, 137),
        (Outcome.TIMEOUT, 137, 124),
        (Outcome.OUT_OF_MEMORY, 1, 121),
        (Outcome.OUTPUT_LIMIT, None, 122),
        (Outcome.DISK_LIMIT, None, 123),
        (Outcome.CANCELLED, None, 130),
        (Outcome.TASK_ERROR, None, 120),
        (Outcome.INFRA_ERROR, None, 125),
    ],
)
def test_the_status_of_an_evaluation(outcome: Outcome, code: int | None, expected: int) -> None:
    assert status.of_evaluation(ended(outcome, code)) == expected


def test_every_outcome_has_a_status_of_its_own() -> None:
    assert set(status.OUTCOMES) == set(Outcome)
    assert len(set(status.OUTCOMES.values())) == len(Outcome)


def test_every_error_has_a_status_that_the_help_names() -> None:
    # Those of single packages are made of these, and judged as such.
    kinds = [
        kind for kind in every_error(errors.EvalboxError) if kind.__module__ == errors.__name__
    ]
    for kind in kinds[1:]:
        found = status.of_error(kind("x"))
        assert found != status.INTERNAL, kind
        assert str(found) in status.HELP


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (errors.InvalidInput, 65),
        (errors.InvalidTransition, 65),
        (errors.AmbiguousId, 65),
        (errors.FileMissing, 66),
        (errors.ImageNotFound, 66),
        (errors.EngineUnavailable, 69),
        (errors.StoreReadOnly, 73),
        (errors.StoreFull, 74),
        (errors.StoreCorrupt, 74),
        (errors.StoreLocked, 75),
        (errors.StoreTooNew, 78),
        (errors.ConfigError, 78),
    ],
)
def test_the_status_of_an_error(kind: type[errors.EvalboxError], expected: int) -> None:
    assert status.of_error(kind("x")) == expected


def test_the_worst_of_several() -> None:
    ok, failed, bad = ended(Outcome.OK, 0), ended(Outcome.FAILED, 3), ended(Outcome.FAILED, 9)
    assert status.worst([ok, ok]) == 0
    assert status.worst([ok, bad, failed]) == 9
    assert status.worst([bad, ended(Outcome.TIMEOUT)]) == 124
    assert status.worst([ended(Outcome.INFRA_ERROR), ended(Outcome.OUT_OF_MEMORY)]) == 125
