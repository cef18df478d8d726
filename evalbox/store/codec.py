"""What is asked for, as JSON and back."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from evalbox.domain.building import ImageBuild
from evalbox.domain.environment import Withheld
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Network, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.score import Score, ScoreCheck, ScoreKind

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_spec(spec: EvaluationSpec) -> str:
    """JSON in plain ASCII, so that arguments that are not UTF-8 survive as well.

    Of the environment only the names: the values are sealed apart.
    """
    return _encode(_spec_document(spec))


@lru_cache(maxsize=1024)
def decode_spec(text: str) -> EvaluationSpec:
    """What ``encode_spec`` was given, the environment's values withheld.

    Evaluations of one batch often share what it gives.
    """
    document: dict[str, Any] = json.loads(text)
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
        inputs=tuple(InputFile(*entry) for entry in document["inputs"]),
        stdin=None if stdin is None else InputFile(*stdin),
        artifacts=tuple(document["artifacts"]),
        network=Network(document["network"]),
        limits=Limits(**document["limits"]),
        priority=Priority(document["priority"]),
        retry=RetryPolicy(**document["retry"]),
        not_before=document["not_before"],
        batch=document["batch"],
        labels=document["labels"],
        idempotency_key=document["idempotency_key"],
        score=document.get("score"),
        build=_build_from(document.get("build")),
        capabilities=tuple(document.get("capabilities", ())),
        trace=document.get("trace", ""),
    )


def encode_score(score: Score) -> str:
    checks = [[one.name, one.passed, one.value, one.detail] for one in score.checks]
    by = [score.by, score.at] if score.by else []
    return _encode([score.kind.value, score.value, score.reason, score.raw, checks, *by])


def decode_score(text: str) -> Score:
    """What ``encode_score`` was given."""
    kind, value, reason, raw, checks, *by = json.loads(text)
    told = tuple(ScoreCheck(*one) for one in checks)
    return Score(ScoreKind(kind), value, reason, raw, told, *by)


def _spec_document(spec: EvaluationSpec) -> dict[str, Any]:
    limits, retry = spec.limits, spec.retry
    return {
        "name": spec.name,
        "command": list(spec.command),
        "image": spec.image,
        "kind": spec.kind,
        "engine": spec.engine,
        "user": spec.user,
        "workdir": spec.workdir,
        "env": list(spec.env),
        "inputs": [_file_document(entry) for entry in spec.inputs],
        "stdin": None if spec.stdin is None else _file_document(spec.stdin),
        "artifacts": list(spec.artifacts),
        "network": spec.network.value,
        "limits": {
            "cpus": limits.cpus,
            "memory": limits.memory,
            "timeout": limits.timeout,
            "disk": limits.disk,
            "pids": limits.pids,
            "output": limits.output,
            "artifacts": limits.artifacts,
        },
        "priority": spec.priority.value,
        "retry": {
            "retries": retry.retries,
            "infra_retries": retry.infra_retries,
            "base": retry.base,
            "factor": retry.factor,
            "cap": retry.cap,
        },
        "not_before": spec.not_before,
        "batch": spec.batch,
        "labels": dict(spec.labels),
        "idempotency_key": spec.idempotency_key,
        **({"score": spec.score} if spec.score else {}),
        **({"build": _build_document(spec.build)} if spec.build else {}),
        **({"capabilities": list(spec.capabilities)} if spec.capabilities else {}),
        **({"trace": spec.trace} if spec.trace else {}),
    }


def _build_document(build: ImageBuild) -> dict[str, Any]:
    return {
        "files": [_file_document(entry) for entry in build.files],
        "command": list(build.command),
        "timeout": build.timeout,
        "description": build.description,
    }


def _build_from(document: dict[str, Any] | None) -> ImageBuild | None:
    if document is None:
        return None
    return ImageBuild(
        files=tuple(InputFile(*entry) for entry in document["files"]),
        command=tuple(document["command"]),
        timeout=document["timeout"],
        description=document["description"],
    )


def _file_document(entry: InputFile) -> list[str | int]:
    return [entry.path, entry.blob, entry.size, entry.mode]
