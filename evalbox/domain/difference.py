"""What differs between two evaluations: what was asked for, and what came of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from evalbox.domain.attempt import Attempt
from evalbox.domain.evaluation import Evaluation, InputFile
from evalbox.domain.quantity import format_duration, format_size

_NONE = "-"


@dataclass(frozen=True, slots=True)
class Difference:
    """``field`` is what it is of, in a user's words; the rest what it is in the one, the other."""

    field: str
    before: str
    after: str

    @property
    def differs(self) -> bool:
        return self.before != self.after


def asked(before: Evaluation, after: Evaluation) -> list[Difference]:
    """What the specifications do not have in common. Of the environment, only the names count."""
    return [one for one in _side_by_side(dict(_spec(before)), dict(_spec(after))) if one.differs]


def became(
    before: Evaluation,
    after: Evaluation,
    first: Attempt | None = None,
    second: Attempt | None = None,
) -> list[Difference]:
    """What came of them, the same or not, with what their newest attempts used."""
    return _side_by_side(dict(_result(before, first)), dict(_result(after, second)))


def _side_by_side(first: Mapping[str, str], second: Mapping[str, str]) -> list[Difference]:
    names = dict.fromkeys([*first, *second])
    return [Difference(name, first.get(name, _NONE), second.get(name, _NONE)) for name in names]


def _spec(item: Evaluation) -> Iterator[tuple[str, str]]:
    spec = item.spec
    yield "task", spec.name
    yield "kind", spec.kind
    yield "command", shlex.join(spec.command)
    yield "image", spec.image
    yield "engine", spec.engine
    yield "network", spec.network
    yield "user", spec.user
    yield "workdir", spec.workdir
    yield "priority", spec.priority.name.lower()
    yield "batch", spec.batch or _NONE
    yield "score file", spec.score or _NONE
    yield "environment", " ".join(sorted(spec.env)) or _NONE
    yield "artifacts", shlex.join(spec.artifacts) or _NONE
    yield "standard input", _file(spec.stdin)
    for file in spec.inputs:
        yield f"file {file.path}", _file(file)
    yield from _each("limit", asdict(spec.limits))
    yield from _each("retry", asdict(spec.retry))
    yield from _each("label", spec.labels)


def _each(of: str, values: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        yield f"{of} {name.replace('_', ' ')}", _NONE if value is None else str(value)


def _file(file: InputFile | None) -> str:
    return f"{format_size(file.size)}, {file.blob[:12]}" if file is not None else _NONE


def _result(item: Evaluation, attempt: Attempt | None) -> Iterator[tuple[str, str]]:
    yield "state", item.state
    yield "outcome", item.outcome or _NONE
    yield "exit status", _NONE if item.exit_code is None else str(item.exit_code)
    yield "error", item.error or item.reason or _NONE
    yield "score", _score(item)
    if item.score is not None:
        for check in item.score.checks:
            verdict = {True: "passed", False: "failed", None: "no verdict"}[check.passed]
            value = "" if check.value is None else f" {check.value:g}"
            yield f"check {check.name}", f"{verdict}{value}"
    yield "attempts", str(item.attempts)
    yield "took", _took(item)
    usage = attempt.usage if attempt is not None else None
    yield "processor time", f"{usage.cpu_seconds:.2f} s" if usage else _NONE
    yield "memory at the peak", format_size(usage.memory_peak) if usage else _NONE
    yield "disk", format_size(usage.disk) if usage else _NONE
    yield "output", format_size(attempt.output_bytes) if attempt else _NONE
    yield "image digest", (attempt.image_digest or _NONE) if attempt else _NONE


def _score(item: Evaluation) -> str:
    if item.score is None:
        return _NONE
    return item.score.kind if item.score.value is None else f"{item.score.value:g}"


def _took(item: Evaluation) -> str:
    if item.started_at is None or item.finished_at is None:
        return _NONE
    return format_duration(max(0.0, item.finished_at - item.started_at))
