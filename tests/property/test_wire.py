"""Documents say all of a value: what is read from one is what it was made of."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalbox.api.models import EvaluationBody
from evalbox.api.specification import specification as from_body
from evalbox.domain.access import ApiKey, Scope
from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.audit import AuditEntry, AuditReport
from evalbox.domain.batch import Batch
from evalbox.domain.check import Check
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, InputFile, Network, Priority
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.image import Image
from evalbox.domain.limits import BOUNDS, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord, OutputPiece, QueueStatus
from evalbox.domain.reduction import Reduction, ReductionState
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.errors import AmbiguousId, Busy, EvalboxError, InvalidInput
from evalbox.wire import access, document, reading
from evalbox.wire.problem import _kinds, error_from, problem
from evalbox.wire.specification import specification as to_body

#: Documents keep moments to the millisecond, which doubles tell apart for long.
moments = st.integers(0, 4 * 10**12).map(lambda milliseconds: milliseconds / 1000)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
shas = st.text("0123456789abcdef", min_size=64, max_size=64)
counts = st.integers(0, 1 << 40)
numbers = st.floats(0, 1e9, allow_nan=False)
finite = st.floats(allow_nan=False, allow_infinity=False)
maybe_moments = st.none() | moments
paths = names.map(lambda name: "/home/agent/" + name.replace("/", "_").replace(".", "_"))
files = st.builds(InputFile, paths, shas, counts, st.integers(0, 0o777))


def whole(low: float, high: float) -> st.SearchStrategy[int]:
    return st.integers(int(low), int(high))


limits = st.builds(
    Limits,
    cpus=st.floats(*BOUNDS["cpus"][:2]),
    timeout=st.floats(*BOUNDS["timeout"][:2]),
    **{
        name: whole(*BOUNDS[name][:2]) for name in ("memory", "disk", "pids", "output", "artifacts")
    },
)
retries = st.builds(
    RetryPolicy,
    retries=st.integers(0, 5),
    infra_retries=st.integers(0, 5),
    base=st.floats(0, 10),
    factor=st.floats(1, 10),
    cap=st.floats(10, 100),
)
specs = st.builds(
    EvaluationSpec,
    name=names,
    command=st.lists(texts, min_size=1, max_size=4).map(tuple),
    image=names,
    kind=names,
    engine=names,
    user=names,
    workdir=paths,
    env=st.dictionaries(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), texts, max_size=3),
    inputs=st.lists(files, max_size=3, unique_by=lambda file: file.path).map(tuple),
    stdin=st.none() | files.map(lambda file: replace(file, path="/stdin", mode=0o644)),
    artifacts=st.lists(paths, max_size=3).map(tuple),
    score=st.none() | paths,
    network=st.sampled_from(Network),
    limits=limits,
    priority=st.sampled_from(Priority),
    retry=retries,
    not_before=maybe_moments,
    batch=st.none() | names,
    labels=st.dictionaries(names, texts, max_size=3),
    idempotency_key=st.none() | names,
)
scores = st.builds(
    Score,
    kind=st.sampled_from(ScoreKind),
    value=st.none() | finite,
    reason=texts,
    raw=texts,
    checks=st.lists(
        st.builds(ScoreCheck, texts, st.none() | st.booleans(), st.none() | finite, texts),
        max_size=3,
    ).map(tuple),
)
evaluations = st.builds(
    Evaluation,
    id=st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=22, max_size=22),
    spec=specs,
    state=st.sampled_from(State),
    created_at=moments,
    updated_at=moments,
    attempts=counts,
    failures=counts,
    infra_failures=counts,
    outcome=st.none() | st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 255),
    reason=texts,
    not_before=maybe_moments,
    started_at=maybe_moments,
    finished_at=maybe_moments,
    cancel_requested=st.booleans(),
    error=texts,
    score=st.none() | scores.map(lambda score: score.summary),
)


def plain(kind: type[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """Finite numbers for the fields of ``kind`` that are numbers."""
    by_type = {"float": numbers, "int": counts}
    return {
        field.name: by_type[str(field.type)] for field in fields(kind) if str(field.type) in by_type
    }


usages = st.builds(Usage, **plain(Usage))
verdicts = st.builds(
    Verdict,
    outcome=st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    reason=texts,
    oom_killed=st.booleans(),
    error=texts,
    score=st.none() | scores,
)
attempts = st.builds(
    Attempt,
    evaluation_id=st.just("x"),
    number=counts,
    claimed_at=moments,
    engine=names,
    sandbox_id=st.none() | names,
    image_digest=st.none() | names,
    warm=st.booleans(),
    started_at=maybe_moments,
    first_output_at=maybe_moments,
    finished_at=maybe_moments,
    verdict=st.none() | verdicts,
    usage=usages,
    output_bytes=counts,
    truncated=st.booleans(),
)
samples = st.builds(
    HostSample,
    **plain(HostSample)
    | {
        "at": moments,
        "cores": st.lists(numbers, max_size=4).map(tuple),
        "load": st.tuples(numbers, numbers, numbers),
    },
)
jsons = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def told(*strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., Any]], Any]:
    """``given``, for as long as it takes on a machine that is busy."""
    few = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    return lambda test: few(given(*strategies)(test))


def sent(made: Any) -> Any:
    """As it comes out at the other end."""
    return json.loads(json.dumps(made, allow_nan=False))


@told(evaluations)
def test_evaluations(item: Evaluation) -> None:
    read = reading.evaluation(sent(document.evaluation(item)))
    assert list(read.spec.env) == sorted(item.spec.env)
    # Of when it may begin, a document tells what holds by now.
    spec = replace(item.spec, not_before=item.not_before)
    assert replace(read, spec=replace(read.spec, env=item.spec.env)) == replace(item, spec=spec)


@told(st.dictionaries(st.sampled_from("ABC"), names, min_size=1))
def test_values_of_an_environment_are_in_no_document(env: dict[str, str]) -> None:
    marked = {name: f"secret-{value}" for name, value in env.items()}
    spec = EvaluationSpec(name="x", command=("x",), image="x", env=marked)
    item = Evaluation("x" * 22, spec, State.QUEUED, 0.0, 0.0)
    assert "secret-" not in json.dumps(document.evaluation(item))


@told(attempts)
def test_attempts(item: Attempt) -> None:
    assert reading.attempt("x", sent(document.attempt(item))) == item


@told(moments, usages)
def test_samples(at: float, usage: Usage) -> None:
    assert reading.sample(sent(document.sample(at, usage))) == (at, usage)


@told(st.builds(ArtifactRecord, texts, counts, st.integers(0, 0o777), st.just("file"), texts))
def test_artifacts(item: ArtifactRecord) -> None:
    assert reading.artifact(sent(document.artifact(item))) == item


@told(st.builds(OutputPiece, counts, st.sampled_from((1, 2)), moments, st.binary(max_size=99)))
def test_pieces_of_output(item: OutputPiece) -> None:
    assert reading.piece(sent(document.piece(item))) == item


#: Of an outcome that makes sense: what broke as a task is a part of what failed.
WHOLE = sorted(set(Outcome) - {Outcome.TASK_ERROR})


@told(
    st.builds(
        Batch,
        name=names,
        created_at=moments,
        concurrency=st.none() | counts,
        states=st.dictionaries(st.sampled_from(State), counts),
        outcomes=st.dictionaries(st.sampled_from(WHOLE), counts),
        started_at=maybe_moments,
        finished_at=maybe_moments,
        attempts=counts,
        spent=numbers,
        respent=numbers,
        recent=counts,
        scored=counts,
        mean_score=st.none() | finite,
        # Of a value that makes sense: it is a part of what has completed.
        unsettled=st.just(0),
        fail_fast=st.booleans(),
        reduction=st.none()
        | st.builds(Reduction, st.sampled_from(ReductionState), st.none() | names, texts),
    )
)
def test_batches(item: Batch) -> None:
    assert reading.batch(sent(document.batch(item))) == item


@told(
    st.builds(
        Event,
        seq=counts,
        at=moments,
        kind=names,
        evaluation_id=st.none() | names,
        attempt=st.none() | counts,
        data=st.dictionaries(texts, jsons, max_size=3),
        batch=st.none() | names,
    )
)
def test_events(item: Event) -> None:
    assert reading.event(sent(document.event(item))) == item


@told(st.builds(QueueStatus, states=st.dictionaries(st.sampled_from(State), counts)))
def test_queues(item: QueueStatus) -> None:
    assert reading.queue(sent(document.queue(item))) == replace(item, here=False)


@told(st.builds(Image, names, names, st.lists(names, max_size=3).map(tuple), counts, maybe_moments))
def test_images(item: Image) -> None:
    assert reading.image(sent(document.image(item))) == item


@told(st.builds(Check))
def test_checks(item: Check) -> None:
    assert reading.check(sent(document.check(item))) == item


@told(st.builds(HostReport, latest=st.none() | samples, history=st.lists(samples).map(tuple)))
def test_hosts(item: HostReport) -> None:
    assert reading.host(sent(document.host(item))) == item


@told(
    st.builds(
        ApiKey,
        id=names,
        name=names,
        scopes=st.frozensets(st.sampled_from(Scope), min_size=1),
        created_at=moments,
        expires_at=maybe_moments,
        revoked_at=maybe_moments,
        last_used_at=maybe_moments,
        signing=st.booleans(),
    )
)
def test_keys(item: ApiKey) -> None:
    assert access.key_from(sent(access.key(item))) == item


@told(
    st.builds(AuditEntry, at=moments, detail=st.dictionaries(texts, jsons, max_size=3), seq=counts)
)
def test_audit_entries(item: AuditEntry) -> None:
    assert access.entry_from(sent(access.entry(item))) == item


@told(st.builds(AuditReport, counts, shas, st.none() | counts, texts))
def test_audit_reports(item: AuditReport) -> None:
    assert access.report_from(sent(access.report(item))) == item


@told(texts, texts, names, st.floats(0, 100), st.lists(names, max_size=3).map(tuple))
def test_every_error_comes_out_as_what_it_was(
    message: str, hint: str, field: str, wait: float, candidates: tuple[str, ...]
) -> None:
    for kind in _kinds().values():
        if issubclass(kind, InvalidInput):
            error: EvalboxError = kind(message, hint=hint, field=field)
        elif issubclass(kind, AmbiguousId):
            error = kind(message, hint=hint, candidates=candidates)
        elif issubclass(kind, Busy):
            error = kind(message, hint=hint, retry_after=wait)
        else:
            error = kind(message, hint=hint)
        read = error_from(sent(problem(error, 400)))
        assert type(read) is kind
        assert vars(read) == vars(error)


@told(specs)
async def test_what_is_asked_for_is_what_the_api_understands(spec: EvaluationSpec) -> None:
    body = EvaluationBody.model_validate(sent(to_body(spec)))
    box: Any = SimpleNamespace(upload=None)
    read = await from_body(body, box, now=0.0)
    assert read == spec
