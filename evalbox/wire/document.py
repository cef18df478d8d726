"""Domain values as JSON documents of the types in ``shapes``."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, cast

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.batch import Batch
from evalbox.domain.building import ImageBuild
from evalbox.domain.check import Check
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport, HostSample
from evalbox.domain.image import Image
from evalbox.domain.limits import Limits
from evalbox.domain.records import ArtifactRecord, OutputPiece, QueueStatus
from evalbox.domain.reduction import Reduction
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score
from evalbox.wire import shapes
from evalbox.wire.moments import iso, iso_or_none

#: Names of the streams, by their number.
STREAMS = {1: "stdout", 2: "stderr"}


def text(given: str) -> str:
    """``given`` as JSON can have it: bytes of a command line that are no UTF-8 cannot be said."""
    if given.isascii():
        return given
    return given.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def evaluation(item: Evaluation) -> shapes.EvaluationDocument:
    """Of the environment only the names are told: values may be secrets."""
    spec = item.spec
    return {
        "id": item.id,
        "short_id": item.short_id,
        "name": spec.name,
        "kind": spec.kind,
        "state": item.state,
        "outcome": item.outcome,
        "exit_code": item.exit_code,
        "reason": text(item.reason),
        "error": item.error,
        "score": None if item.score is None else score(item.score),
        "cancel_requested": item.cancel_requested,
        "attempt_count": item.attempts,
        "failures": item.failures,
        "infra_failures": item.infra_failures,
        "created_at": iso(item.created_at),
        "updated_at": iso(item.updated_at),
        "not_before": iso_or_none(item.not_before),
        "started_at": iso_or_none(item.started_at),
        "finished_at": iso_or_none(item.finished_at),
        "engine": spec.engine,
        "image": spec.image,
        "command": [text(word) for word in spec.command],
        "user": spec.user,
        "workdir": spec.workdir,
        "env": sorted(spec.env),
        "inputs": [_file(file) for file in spec.inputs],
        "stdin": _file(spec.stdin) if spec.stdin else None,
        "artifacts": list(spec.artifacts),
        "score_file": spec.score,
        "build": None if spec.build is None else image_build(spec.build),
        "capabilities": list(spec.capabilities),
        "network": spec.network,
        "limits": cast(shapes.LimitsDocument, _plain(spec.limits)),
        "priority": spec.priority.name.lower(),
        "retry": cast(shapes.RetryDocument, _plain(spec.retry)),
        "batch": spec.batch,
        "labels": dict(spec.labels),
        "idempotency_key": spec.idempotency_key,
    }


def image_build(item: ImageBuild) -> shapes.ImageBuildDocument:
    return {
        "files": [_file(file) for file in item.files],
        "command": [text(word) for word in item.command],
        "timeout": item.timeout,
        "description": item.description,
    }


def score(item: Score) -> shapes.ScoreDocument:
    return {"kind": item.kind, "value": item.value, "reason": item.reason}


def full_score(item: Score) -> shapes.FullScoreDocument:
    checks = [cast(shapes.ScoreCheckDocument, asdict(one)) for one in item.checks]
    return {
        **score(item),
        "raw": item.raw,
        "checks": checks,
        "by": item.by,
        "at": iso_or_none(item.at),
    }


def attempt(item: Attempt) -> shapes.AttemptDocument:
    verdict = item.verdict
    return {
        "number": item.number,
        "outcome": verdict.outcome if verdict else None,
        "exit_code": verdict.exit_code if verdict else None,
        "signal": verdict.signal if verdict else None,
        "reason": text(verdict.reason) if verdict else "",
        "error": verdict.error if verdict else "",
        "score": full_score(verdict.score) if verdict and verdict.score else None,
        "oom_killed": verdict.oom_killed if verdict else False,
        "engine": item.engine,
        "sandbox_id": item.sandbox_id,
        "image_digest": item.image_digest,
        "warm": item.warm,
        "claimed_at": iso(item.claimed_at),
        "started_at": iso_or_none(item.started_at),
        "first_output_at": iso_or_none(item.first_output_at),
        "finished_at": iso_or_none(item.finished_at),
        "usage": _usage(item.usage),
        "output_bytes": item.output_bytes,
        "truncated": item.truncated,
    }


def sample(at: float, usage: Usage) -> shapes.SampleDocument:
    return {"at": iso(at), **_usage(usage)}


def activity(item: Activity) -> shapes.ActivityDocument:
    return {
        "evaluation_id": item.evaluation_id,
        "attempt": item.attempt,
        "phase": item.phase,
        "since": iso(item.since),
        "limits": cast(shapes.LimitsDocument, _plain(item.limits)),
        "cpu": item.cpu,
        "memory": item.memory,
        "disk": item.disk,
        "pids": item.pids,
        "output_bytes": item.output_bytes,
        "last_output_at": iso_or_none(item.last_output_at),
    }


def artifact(item: ArtifactRecord) -> shapes.ArtifactDocument:
    plain = asdict(item)
    return cast(shapes.ArtifactDocument, {**plain, "path": text(item.path)})


def piece(item: OutputPiece) -> shapes.PieceDocument:
    return {
        "offset": item.offset,
        "stream": STREAMS[item.stream],
        "at": iso(item.at),
        "data": base64.b64encode(item.data).decode(),
    }


def batch(item: Batch) -> shapes.BatchDocument:
    return {
        "name": item.name,
        "created_at": iso(item.created_at),
        "concurrency": item.concurrency,
        "total": item.total,
        "states": dict(item.states),
        "outcomes": dict(item.outcomes),
        "started_at": iso_or_none(item.started_at),
        "finished_at": iso_or_none(item.finished_at),
        "attempts": item.attempts,
        "spent": item.spent,
        "respent": item.respent,
        "recent": item.recent,
        "passed": item.passed,
        "judged": item.judged,
        "unsettled": item.unsettled,
        "pass_rate": item.pass_rate,
        "pass_interval": None if item.interval is None else list(item.interval),
        "scored": item.scored,
        "mean_score": item.mean_score,
        "fail_fast": item.fail_fast,
        "reduction": None if item.reduction is None else reduction(item.reduction),
    }


def reduction(item: Reduction) -> shapes.ReductionDocument:
    return {"state": item.state, "evaluation": item.evaluation_id, "reason": item.reason}


def event(item: Event) -> shapes.EventDocument:
    return {
        "seq": item.seq,
        "at": iso(item.at),
        "kind": item.kind,
        "evaluation_id": item.evaluation_id,
        "batch": item.batch,
        "attempt": item.attempt,
        "data": dict(item.data),
    }


def queue(item: QueueStatus) -> shapes.QueueDocument:
    return {
        "paused": item.paused,
        "slots": item.slots,
        "states": dict(item.states),
        "warm": item.warm,
        "holding": item.holding,
        "working": item.working,
        "draining": item.draining,
    }


def image(item: Image) -> shapes.ImageDocument:
    return {
        "id": item.id,
        "digest": item.digest,
        "names": list(item.names),
        "size": item.size,
        "created_at": iso_or_none(item.created_at),
    }


def check(item: Check) -> shapes.CheckDocument:
    return cast(shapes.CheckDocument, asdict(item))


def host(item: HostReport) -> shapes.HostDocument:
    return {
        "version": item.version,
        "box": item.box,
        "engine": item.engine,
        "slots": item.slots,
        "running": item.running,
        "warm": item.warm,
        "latest": host_sample(item.latest) if item.latest else None,
        "history": [host_sample(one) for one in item.history],
    }


def host_sample(item: HostSample) -> shapes.HostSampleDocument:
    plain = asdict(item)
    plain |= {"at": iso(item.at), "cores": list(item.cores), "load": list(item.load)}
    return cast(shapes.HostSampleDocument, plain)


def full(item: Evaluation, tries: Sequence[Attempt]) -> dict[str, Any]:
    """An evaluation with its attempts."""
    return {**evaluation(item), "attempts": [attempt(one) for one in tries]}


def output(data: bytes, name: str) -> dict[str, str]:
    """Bytes as text, and exactly in base64 where they are not UTF-8."""
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        exact = base64.b64encode(data).decode()
        return {name: data.decode(errors="replace"), f"{name}_base64": exact}


def _plain(item: Limits | RetryPolicy | Usage) -> dict[str, float | None]:
    """Of numbers only: copying deeply, as asdict does, took half the time of a list's page."""
    return {name: getattr(item, name) for name in item.__slots__}


def _file(item: InputFile) -> shapes.InputFileDocument:
    return {"path": item.path, "blob": item.blob, "size": item.size, "mode": item.mode}


def _usage(item: Usage) -> shapes.UsageDocument:
    return cast(shapes.UsageDocument, _plain(item))
