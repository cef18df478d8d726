"""The inverse of ``document``: domain values from the documents of ``shapes``.

Of an environment the documents tell no values, so these are withheld.
"""

from __future__ import annotations

import base64

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage, Verdict
from evalbox.domain.batch import Batch
from evalbox.domain.building import ImageBuild
from evalbox.domain.check import Check
from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, InputFile, Network, Priority
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.image import Image
from evalbox.domain.limits import Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord, OutputPiece, QueueStatus
from evalbox.domain.reduction import Reduction, ReductionState
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind
from evalbox.domain.state import State
from evalbox.wire import shapes
from evalbox.wire.document import STREAMS
from evalbox.wire.moments import seconds, seconds_or_none

_NUMBERS = {name: number for number, name in STREAMS.items()}


def evaluation(document: shapes.EvaluationDocument) -> Evaluation:
    return Evaluation(
        id=document["id"],
        spec=_spec(document),
        state=State(document["state"]),
        created_at=seconds(document["created_at"]),
        updated_at=seconds(document["updated_at"]),
        attempts=document["attempt_count"],
        failures=document["failures"],
        infra_failures=document["infra_failures"],
        outcome=None if document["outcome"] is None else Outcome(document["outcome"]),
        exit_code=document["exit_code"],
        reason=document["reason"],
        error=document["error"],
        score=score(document["score"]),
        not_before=seconds_or_none(document["not_before"]),
        started_at=seconds_or_none(document["started_at"]),
        finished_at=seconds_or_none(document["finished_at"]),
        cancel_requested=document["cancel_requested"],
    )


def _spec(document: shapes.EvaluationDocument) -> EvaluationSpec:
    stdin = document["stdin"]
    return EvaluationSpec(
        name=document["name"],
        command=tuple(document["command"]),
        image=document["image"],
        kind=document["kind"],
        engine=document["engine"],
        user=document["user"],
        workdir=document["workdir"],
        env=Withheld(document["env"]),
        inputs=tuple(InputFile(**entry) for entry in document["inputs"]),
        stdin=None if stdin is None else InputFile(**stdin),
        artifacts=tuple(document["artifacts"]),
        score=document["score_file"],
        build=image_build(document["build"]),
        capabilities=tuple(document["capabilities"]),
        network=Network(document["network"]),
        limits=Limits(**document["limits"]),
        priority=Priority[document["priority"].upper()],
        retry=RetryPolicy(**document["retry"]),
        not_before=seconds_or_none(document["not_before"]),
        batch=document["batch"],
        labels=document["labels"],
        idempotency_key=document["idempotency_key"],
    )


def image_build(document: shapes.ImageBuildDocument | None) -> ImageBuild | None:
    if document is None:
        return None
    return ImageBuild(
        files=tuple(InputFile(**entry) for entry in document["files"]),
        command=tuple(document["command"]),
        timeout=document["timeout"],
        description=document["description"],
    )


def score(document: shapes.ScoreDocument | None) -> Score | None:
    if document is None:
        return None
    return Score(ScoreKind(document["kind"]), document["value"], document["reason"])


def full_score(document: shapes.FullScoreDocument | None) -> Score | None:
    return None if document is None else known_score(document)


def known_score(document: shapes.FullScoreDocument) -> Score:
    return Score(
        ScoreKind(document["kind"]),
        document["value"],
        document["reason"],
        document["raw"],
        tuple(ScoreCheck(**one) for one in document["checks"]),
        document["by"],
        seconds_or_none(document["at"]),
    )


def attempt(evaluation_id: str, document: shapes.AttemptDocument) -> Attempt:
    verdict = None
    if document["outcome"] is not None:
        verdict = Verdict(
            outcome=Outcome(document["outcome"]),
            exit_code=document["exit_code"],
            signal=document["signal"],
            reason=document["reason"],
            oom_killed=document["oom_killed"],
            error=document["error"],
            score=full_score(document["score"]),
        )
    return Attempt(
        evaluation_id=evaluation_id,
        number=document["number"],
        claimed_at=seconds(document["claimed_at"]),
        engine=document["engine"],
        sandbox_id=document["sandbox_id"],
        image_digest=document["image_digest"],
        warm=document["warm"],
        started_at=seconds_or_none(document["started_at"]),
        first_output_at=seconds_or_none(document["first_output_at"]),
        finished_at=seconds_or_none(document["finished_at"]),
        verdict=verdict,
        usage=Usage(**document["usage"]),
        output_bytes=document["output_bytes"],
        truncated=document["truncated"],
    )


def sample(document: shapes.SampleDocument) -> tuple[float, Usage]:
    usage = {key: value for key, value in document.items() if key != "at"}
    return seconds(document["at"]), Usage(**usage)  # type: ignore[arg-type]


def activity(document: shapes.ActivityDocument) -> Activity:
    return Activity(
        evaluation_id=document["evaluation_id"],
        attempt=document["attempt"],
        phase=document["phase"],
        since=seconds(document["since"]),
        limits=Limits(**document["limits"]),
        cpu=document["cpu"],
        memory=document["memory"],
        disk=document["disk"],
        pids=document["pids"],
        output_bytes=document["output_bytes"],
        last_output_at=seconds_or_none(document["last_output_at"]),
    )


def artifact(document: shapes.ArtifactDocument) -> ArtifactRecord:
    return ArtifactRecord(**document)


def piece(document: shapes.PieceDocument) -> OutputPiece:
    return OutputPiece(
        offset=document["offset"],
        stream=_NUMBERS[document["stream"]],
        at=seconds(document["at"]),
        data=base64.b64decode(document["data"]),
    )


def batch(document: shapes.BatchDocument) -> Batch:
    return Batch(
        name=document["name"],
        created_at=seconds(document["created_at"]),
        concurrency=document["concurrency"],
        states={State(key): count for key, count in document["states"].items()},
        outcomes={Outcome(key): count for key, count in document["outcomes"].items()},
        started_at=seconds_or_none(document["started_at"]),
        finished_at=seconds_or_none(document["finished_at"]),
        attempts=document["attempts"],
        spent=document["spent"],
        respent=document["respent"],
        recent=document["recent"],
        scored=document["scored"],
        mean_score=document["mean_score"],
        unsettled=document["unsettled"],
        # An older box says nothing of it.
        fail_fast=document.get("fail_fast", False),
        reduction=_reduction(document.get("reduction")),
    )


def _reduction(document: shapes.ReductionDocument | None) -> Reduction | None:
    if document is None:
        return None
    state = ReductionState(document["state"])
    return Reduction(state, document["evaluation"], document["reason"])


def event(document: shapes.EventDocument) -> Event:
    return Event(
        seq=document["seq"],
        at=seconds(document["at"]),
        kind=document["kind"],
        evaluation_id=document["evaluation_id"],
        batch=document["batch"],
        attempt=document["attempt"],
        data=document["data"],
    )


def queue(document: shapes.QueueDocument) -> QueueStatus:
    return QueueStatus(
        paused=document["paused"],
        slots=document["slots"],
        states={State(key): count for key, count in document["states"].items()},
        warm=document["warm"],
        holding=document["holding"],
        working=document["working"],
        here=False,
        draining=document["draining"],
    )


def image(document: shapes.ImageDocument) -> Image:
    return Image(
        id=document["id"],
        digest=document["digest"],
        names=tuple(document["names"]),
        size=document["size"],
        created_at=seconds_or_none(document["created_at"]),
    )


def check(document: shapes.CheckDocument) -> Check:
    return Check(**document)


def host(document: shapes.HostDocument) -> HostReport:
    latest = document["latest"]
    return HostReport(
        version=document["version"],
        box=document["box"],
        engine=document["engine"],
        slots=document["slots"],
        running=document["running"],
        warm=document["warm"],
        latest=host_sample(latest) if latest else None,
        history=tuple(host_sample(one) for one in document["history"]),
    )


def host_sample(document: shapes.HostSampleDocument) -> HostSample:
    one, five, fifteen = document["load"]
    plain = {**document, "at": seconds(document["at"]), "cores": tuple(document["cores"])}
    return HostSample(**{**plain, "load": (one, five, fifteen)})  # type: ignore[arg-type]
