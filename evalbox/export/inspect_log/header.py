"""What a log says of all its samples together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalbox import __version__
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.export.inspect_log.grouping import LogKey
from evalbox.export.inspect_log.sample import error
from evalbox.export.inspect_log.scores import OUTCOME, REDUCER, SCORE, Tally
from evalbox.wire.moments import iso

#: The version of the format.
VERSION = 2
_METRICS = {SCORE: ("mean", "stderr"), OUTCOME: ("accuracy", "stderr")}
#: Nobody is asked: what worked on the task is the solver.
_MODEL = "none/none"


@dataclass(frozen=True, slots=True)
class Entry:
    """A sample to be: the evaluation, its name in the log, and the which of that name it is."""

    evaluation: str
    sample: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What is known of a log before its samples are read. ``created_at``: seconds since 1970.

    ``pending`` counts the evaluations that have not ended and so are no samples yet.
    """

    key: LogKey
    created_at: float
    entries: Sequence[Entry]
    pending: int = 0

    @property
    def id(self) -> str:
        """The same whenever the same is exported, and no other's."""
        first = min((entry.evaluation for entry in self.entries), default="")
        return _mark(*_words(self.key), first)

    @property
    def samples(self) -> list[str]:
        return list(dict.fromkeys(entry.sample for entry in self.entries))

    @property
    def epochs(self) -> int:
        return max((entry.epoch for entry in self.entries), default=1)


@dataclass
class Course:
    """What is counted while the samples are read."""

    tally: Tally = field(default_factory=Tally)
    ended: Counter[Outcome | None] = field(default_factory=Counter)
    began_at: float | None = None
    ended_at: float | None = None
    erred: int = 0

    def add(self, item: Evaluation, made: Mapping[str, Any], began: float, ended: float) -> None:
        self.tally.add(made["id"], made["scores"])
        self.ended[item.outcome] += 1
        self.erred += made["error"] is not None
        self.began_at = began if self.began_at is None else min(self.began_at, began)
        self.ended_at = ended if self.ended_at is None else max(self.ended_at, ended)

    @property
    def total(self) -> int:
        return self.ended.total()


def start(plan: Plan) -> dict[str, Any]:
    """Before all samples."""
    agent = plan.key.agent or "none"
    return {
        "version": VERSION,
        "eval": _spec(plan, agent),
        "plan": {"name": "plan", "steps": [{"solver": agent, "params": {}}], "config": {}},
    }


def header(plan: Plan, course: Course) -> dict[str, Any]:
    """Behind all samples. Its keys are in the order in which Inspect reads them."""
    status, reason = _status(plan, course)
    begun = start(plan)
    tally = course.tally
    return {
        "version": VERSION,
        "status": status,
        "eval": begun["eval"],
        "plan": begun["plan"],
        "results": {
            "total_samples": course.total + plan.pending,
            "completed_samples": course.total - course.erred,
            "scores": [tally.results(name) for name in tally.scorers],
        },
        "stats": {
            "started_at": "" if course.began_at is None else iso(course.began_at),
            "completed_at": "" if course.ended_at is None or plan.pending else iso(course.ended_at),
            "model_usage": {},
        },
        # Inspect reads no header in which it stands without one.
        **({"error": error(reason)} if reason else {}),
        "invalidated": False,
    }


def _status(plan: Plan, course: Course) -> tuple[str, str]:
    """The word that Inspect has for it, and why it is an error where it is one."""
    if plan.pending:
        return "started", ""
    if course.total and course.ended[Outcome.CANCELLED] == course.total:
        return "cancelled", ""
    if course.total and course.erred == course.total:
        return "error", f"each of {course.total} samples ended with an error"
    return "success", ""


def _spec(plan: Plan, agent: str) -> dict[str, Any]:
    key = plan.key
    scorers = [
        {"name": name, "metrics": [{"name": metric} for metric in metrics]}
        for name, metrics in _METRICS.items()
    ]
    return {
        "eval_id": plan.id,
        "run_id": _mark("run", key.batch or plan.id),
        "created": iso(plan.created_at),
        "task": key.task,
        "task_id": _mark("task", key.task),
        "task_version": 0,
        "task_args": {},
        "solver": agent,
        "solver_args": {},
        "tags": [key.batch] if key.batch else [],
        "dataset": {
            "name": key.task,
            "samples": len(plan.samples),
            "sample_ids": plan.samples,
            "shuffled": False,
        },
        "model": _MODEL,
        "model_generate_config": {},
        "model_args": {},
        "config": {"epochs": plan.epochs, "epochs_reducer": [REDUCER], "fail_on_error": False},
        "packages": {"evalbox": __version__},
        "metadata": {"batch": key.batch, "agent": key.agent, "pending": plan.pending},
        "scorers": scorers,
    }


def _words(key: LogKey) -> tuple[str, str, str]:
    return key.batch, key.task, key.agent


def _mark(*words: str) -> str:
    told = "\0".join(words).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()[:22]
