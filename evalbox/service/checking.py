"""Takes a family through all of its life: its image, its tasks, their scores, its own tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace

from evalbox.domain.evaluation import Evaluation, EvaluationSpec
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score
from evalbox.errors import ImageBuildError, InvalidInput, TaskError
from evalbox.requests.attempts import PreparedFamily
from evalbox.requests.making import Progress
from evalbox.service.box import Box
from evalbox.service.cancelling import cancel_unfinished

#: Seconds that the tests may take.
_TESTING = 600.0
_PYTEST = ("python3", "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` was tried ``how``, and whether it went ``well``; ``evaluation`` is where it ran.

    ``note`` says in words what went wrong, from the family's own where it has any.
    """

    what: str
    how: str
    well: bool
    note: str = ""
    score: Score | None = None
    evaluation: Evaluation | None = None


async def check_family(
    box: Box, attempts: Mapping[str, PreparedFamily], progress: Progress
) -> AsyncGenerator[Finding, None]:
    """``attempts`` are the ways to attempt the same tasks, by what to call them.

    Whoever stops listening has what has not ended cancelled.
    """
    specs: dict[str, list[EvaluationSpec]] = {}
    try:
        for how, prepared in attempts.items():
            specs[how] = await prepared.specs(box, progress)
    except (ImageBuildError, InvalidInput, TaskError) as error:
        yield Finding("image", "build", False, error.message.partition("\n")[0])
        return
    yield Finding("image", "build", True)
    prepared = next(iter(attempts.values()))
    first = next(iter(specs.values()))[0]
    jobs = [(how, spec) for how, some in specs.items() for spec in some]
    if tests := _tests(prepared):
        jobs.append(("pytest", _test_spec(first, prepared.family.name, tests)))
    ids: list[str] = []
    try:
        ids += [item.id for item in await box.submit([spec for _, spec in jobs])]
        for (how, _), one in zip(jobs, ids, strict=True):
            yield _finding(how, await box.wait(one), prepared.family.name)
    finally:
        await cancel_unfinished(box, ids)


def _finding(how: str, ended: Evaluation, family: str) -> Finding:
    well = ended.outcome is Outcome.OK
    said = ended.error or ended.reason or str(ended.outcome or ended.state)
    what = ended.spec.name.removeprefix(f"{family}/")
    return Finding(what, how, well, "" if well else said, ended.score, ended)


def _tests(prepared: PreparedFamily) -> tuple[str, ...]:
    """The files of the family that pytest would take for tests."""
    names = (entry.name for entry in prepared.family.bundle.entries)
    return tuple(name for name in names if _is_test(name.rpartition("/")[2]))


def _is_test(name: str) -> bool:
    return name.endswith("_test.py") or (name.startswith("test_") and name.endswith(".py"))


def _test_spec(spec: EvaluationSpec, family: str, tests: Sequence[str]) -> EvaluationSpec:
    """The tests, run by root where the family is, in its image."""
    return replace(
        spec,
        name=f"{family}/tests",
        kind="script",
        command=(*_PYTEST, *tests),
        inputs=(),
        artifacts=(),
        limits=Limits(timeout=_TESTING),
        labels={},
    )
