"""The JSON of the command line: plain values, times as ISO 8601 in UTC, sizes in bytes."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evalbox.cli.when import iso
from evalbox.domain.attempt import Attempt
from evalbox.domain.batch import Batch
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.event import Event
from evalbox.domain.records import ArtifactRecord


def evaluation(item: Evaluation) -> dict[str, Any]:
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
        "reason": item.reason,
        "cancel_requested": item.cancel_requested,
        "attempt_count": item.attempts,
        "created_at": iso(item.created_at),
        "updated_at": iso(item.updated_at),
        "not_before": _moment(item.not_before),
        "started_at": _moment(item.started_at),
        "finished_at": _moment(item.finished_at),
        "engine": spec.engine,
        "image": spec.image,
        "command": list(spec.command),
        "user": spec.user,
        "workdir": spec.workdir,
        "env": sorted(spec.env),
        "inputs": [asdict(file) for file in spec.inputs],
        "stdin": asdict(spec.stdin) if spec.stdin else None,
        "artifacts": list(spec.artifacts),
        "network": spec.network,
        "limits": asdict(spec.limits),
        "priority": spec.priority.name.lower(),
        "retry": asdict(spec.retry),
        "batch": spec.batch,
        "labels": dict(spec.labels),
        "idempotency_key": spec.idempotency_key,
    }


def attempt(item: Attempt) -> dict[str, Any]:
    verdict = item.verdict
    return {
        "number": item.number,
        "outcome": verdict.outcome if verdict else None,
        "exit_code": verdict.exit_code if verdict else None,
        "signal": verdict.signal if verdict else None,
        "reason": verdict.reason if verdict else "",
        "engine": item.engine,
        "sandbox_id": item.sandbox_id,
        "image_digest": item.image_digest,
        "warm": item.warm,
        "claimed_at": iso(item.claimed_at),
        "started_at": _moment(item.started_at),
        "first_output_at": _moment(item.first_output_at),
        "finished_at": _moment(item.finished_at),
        "usage": asdict(item.usage),
        "output_bytes": item.output_bytes,
        "truncated": item.truncated,
    }


def artifact(item: ArtifactRecord) -> dict[str, Any]:
    return asdict(item)


def batch(item: Batch) -> dict[str, Any]:
    return {
        "name": item.name,
        "created_at": iso(item.created_at),
        "concurrency": item.concurrency,
        "total": item.total,
        "states": dict(item.states),
        "outcomes": dict(item.outcomes),
    }


def event(item: Event) -> dict[str, Any]:
    return {
        "seq": item.seq,
        "at": iso(item.at),
        "kind": item.kind,
        "evaluation_id": item.evaluation_id,
        "attempt": item.attempt,
        "data": dict(item.data),
    }


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


def _moment(at: float | None) -> str | None:
    return None if at is None else iso(at)
