"""What is asked for, as the API takes it in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evalbox.domain.building import ImageBuild
from evalbox.domain.evaluation import EvaluationSpec, InputFile
from evalbox.wire.moments import iso_or_none


def specification(spec: EvaluationSpec) -> dict[str, Any]:
    """The body that makes a box queue ``spec``; what is empty is left to the box."""
    return {
        "name": spec.name,
        "kind": spec.kind,
        "command": list(spec.command),
        "image": spec.image or None,
        "engine": spec.engine or None,
        "user": spec.user,
        "workdir": spec.workdir,
        "env": dict(spec.env),
        "inputs": [_placed(file) for file in spec.inputs],
        "stdin": None if spec.stdin is None else _content(spec.stdin),
        "artifacts": list(spec.artifacts),
        "score": spec.score,
        "build": None if spec.build is None else image_build(spec.build),
        "capabilities": list(spec.capabilities),
        "network": spec.network,
        "limits": asdict(spec.limits),
        "priority": spec.priority.name.lower(),
        "retry": asdict(spec.retry),
        "not_before": iso_or_none(spec.not_before),
        "batch": spec.batch,
        "labels": dict(spec.labels),
        "idempotency_key": spec.idempotency_key,
    }


def image_build(build: ImageBuild) -> dict[str, Any]:
    return {
        "files": [_placed(file) for file in build.files],
        "command": list(build.command),
        "timeout": build.timeout,
        "description": build.description,
    }


def _placed(file: InputFile) -> dict[str, Any]:
    return _content(file) | {"path": file.path, "mode": file.mode}


def _content(file: InputFile) -> dict[str, Any]:
    return {"blob": file.blob, "size": file.size}
