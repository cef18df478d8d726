"""What of an attempt's own output and files its verdict tells: the score, and what went wrong."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from evalbox.domain.attempt import Verdict
from evalbox.domain.complaint import complaint, has_complaint
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score
from evalbox.domain.scoring import missing
from evalbox.engines.base import Stream
from evalbox.errors import StoreError
from evalbox.store.scorefile import ScoreFile
from evalbox.store.store import Store
from evalbox.tasks.judging import MAX_REPORT, Judge
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)

#: Bytes at each end of a stream in which the line that tells best is looked for.
_LOOKED_AT = 32 << 10


class Findings:
    """Of one attempt. ``score_file`` is None where no score is asked for."""

    def __init__(
        self, store: Store, key: tuple[str, int], spec: EvaluationSpec, judge: Judge | None
    ) -> None:
        self._store = store
        self._key = key
        self._judge = judge
        self._artifacts = spec.artifacts
        self.score_file = ScoreFile(spec.score) if spec.score is not None else None

    @property
    def paths(self) -> tuple[str, ...]:
        """What the sandbox is to give: what decides first, so that no artifact keeps it out.

        The score file is read where it comes first, and kept where it is an artifact too.
        """
        read = () if self.score_file is None else (self.score_file.path,)
        report = () if self._judge is None else (self._judge.report,)
        return (*read, *dict.fromkeys((*report, *self._artifacts)))

    async def tell(self, verdict: Verdict, *, stopped: bool) -> Verdict:
        """``verdict`` with what was found, once the transcript is complete. ``stopped``: it is the
        box that ended the job.
        """
        if self._judge is None:
            score = None if stopped else self._score(verdict.outcome)
            verdict = replace(verdict, score=score)
        elif not stopped and verdict.outcome is not Outcome.INFRA_ERROR:
            verdict = await self._judged(self._judge, verdict)
        return replace(verdict, error=await self._error(verdict.outcome))

    async def _judged(self, judge: Judge, verdict: Verdict) -> Verdict:
        try:
            content = await self._store.read_whole(*self._key, judge.report, MAX_REPORT)
        except StoreError as error:
            return Verdict(Outcome.INFRA_ERROR, verdict.exit_code, reason=error.message)
        return await asyncio.to_thread(judge.verdict, verdict, content)

    def _score(self, outcome: Outcome) -> Score | None:
        """What the file says counts, however the job ended by itself. Where there is none, only a
        job that ended well owes it; and an attempt that the box broke is worth nothing.
        """
        file = self.score_file
        if file is None or outcome is Outcome.INFRA_ERROR:
            return None
        if file.found is None and outcome is Outcome.OK:
            return missing(file.path)
        return file.found

    async def _error(self, outcome: Outcome) -> str:
        if not has_complaint(outcome):
            return ""
        try:
            # On standard error a driver only says what it is at.
            streams = (Stream.STDERR,) if self._judge is None else ()
            ends = [
                await self._store.read_ends(*self._key, stream, _LOOKED_AT)
                for stream in (*streams, Stream.STDOUT)
            ]
        except StoreError as error:
            # The verdict holds without it.
            log.warning("output not looked at", error=error.message)
            return ""
        # Many short lines take a while.
        return await asyncio.to_thread(complaint, outcome, *ends)
