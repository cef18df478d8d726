"""Which log an evaluation belongs to, and what its sample is called there."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from evalbox.domain.evaluation import AGENT, EvaluationSpec
from evalbox.domain.experiment import EPOCH
from evalbox.tasks.registry import judge_of

#: The task of what is in no batch.
ALONE = "evalbox"
#: The label that says again what the evaluation is called.
_TASK = "task"
_UNFIT = re.compile(r"[^\w.,=+@ \[\]-]+")
_LONGEST = 100


@dataclass(frozen=True, slots=True, order=True)
class LogKey:
    """``batch`` and ``agent`` are empty where there is none."""

    batch: str
    task: str
    agent: str


def log_of(spec: EvaluationSpec) -> LogKey:
    batch = spec.batch or ""
    family = _family(spec)
    task = family[0] if family else batch or ALONE
    return LogKey(batch, task, spec.labels.get(AGENT, ""))


def sample_of(spec: EvaluationSpec) -> str:
    """The same for all epochs of one task. It becomes part of a name in an archive."""
    family = _family(spec)
    name = family[1] if family else spec.name
    told = [
        f"{key}={value}"
        for key, value in sorted(spec.labels.items())
        if key not in (AGENT, EPOCH, _TASK)
    ]
    return harmless(f"{name} [{' '.join(told)}]" if told else name)


def harmless(name: str) -> str:
    """``name`` where no file system or archive takes anything else for it; else one made of it.

    Different names stay different.
    """
    plain = _UNFIT.sub("-", name).strip(" .-")[:_LONGEST].rstrip(" .-")
    if plain and plain == name:
        return name
    mark = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain or 'sample'}-{mark}"


def _family(spec: EvaluationSpec) -> tuple[str, str] | None:
    """A family and the task of it that is attempted; None of what is no family."""
    if judge_of(spec.kind) is None:
        return None
    task = spec.command[-1]
    return spec.name.removesuffix(f"/{task}") or spec.name, task
