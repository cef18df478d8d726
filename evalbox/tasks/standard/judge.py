"""The verdict on an attempt at a task of a family: what the driver reports, where that holds."""

from __future__ import annotations

from dataclasses import replace

from evalbox.domain.attempt import Verdict
from evalbox.domain.outcome import Outcome
from evalbox.domain.report import TaskReport
from evalbox.domain.score import Score, ScoreKind
from evalbox.domain.scoring import invalid
from evalbox.tasks.standard.planning import REPORT
from evalbox.tasks.standard.report import NoReport, read_report

#: What ended the sandbox otherwise is known from outside, whatever the report says.
_BY_DRIVER = frozenset({Outcome.OK, Outcome.FAILED})


class StandardJudge:
    """Implements ``Judge``."""

    @property
    def report(self) -> str:
        return REPORT

    @property
    def phases(self) -> tuple[str, ...]:
        return ("setup", "start", "agent", "score", "teardown")

    @property
    def scoring(self) -> str:
        return "score"

    def read(self, content: bytes) -> TaskReport | None:
        try:
            return read_report(content)
        except NoReport:
            return None

    def verdict(self, given: Verdict, content: bytes | None) -> Verdict:
        """A broken driver, or one without a report, is the task's error: never a score."""
        try:
            report = None if content is None else read_report(content)
        except NoReport as error:
            return _broken(given, f"the driver's report {error}")
        if report is None:
            ended = f": {given.reason}" if given.reason else ""
            return _broken(given, f"the task's driver left no report{ended}")
        score = _counting(report)
        if given.outcome not in _BY_DRIVER:
            return replace(given, score=score)
        if report.outcome is not Outcome.OK:
            return replace(given, outcome=report.outcome, reason=report.reason, score=score)
        if given.outcome is not Outcome.OK:
            return _broken(given, f"the driver reports no error, and failed: {given.reason}")
        if score is not None and score.kind is ScoreKind.INVALID:
            return replace(given, outcome=Outcome.TASK_ERROR, reason=score.reason, score=score)
        return replace(given, score=score)


def _broken(given: Verdict, reason: str) -> Verdict:
    if given.outcome not in _BY_DRIVER:
        return given
    return replace(given, outcome=Outcome.TASK_ERROR, reason=reason)


def _counting(report: TaskReport) -> Score | None:
    """A number of which the driver itself says that something went wrong is none."""
    score = report.score
    if report.outcome is Outcome.OK:
        return score or invalid("the driver reports no score")
    return score if score is not None and score.kind is ScoreKind.INVALID else None
