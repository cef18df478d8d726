"""Keeps what an attempt leaves, as it comes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from evalbox.domain.evaluation import Evaluation
from evalbox.domain.limits import MIB
from evalbox.domain.records import ArtifactRecord
from evalbox.engines.base import Sandbox
from evalbox.errors import StoreError
from evalbox.scheduler.account import Account
from evalbox.scheduler.deadline import Deadline
from evalbox.scheduler.findings import Findings
from evalbox.scheduler.progress import Phase, Progress
from evalbox.scheduler.surroundings import Surroundings
from evalbox.store.artifacts import extract

#: Seconds beyond its deadline that an attempt gets once its artifacts begin to come, and bytes of
#: artifacts for which it gets a second more. Time that the box itself takes does not count. It is
#: little, since a task that goes on can make it seem to have ended.
GRACE, RATE = 1.0, 16 * MIB


class Collection:
    """Of one attempt."""

    def __init__(
        self,
        around: Surroundings,
        evaluation: Evaluation,
        *,
        findings: Findings,
        deadline: Deadline,
        progress: Progress,
        account: Account,
    ) -> None:
        self._around = around
        self._key = evaluation.id, evaluation.attempts
        self._limit = evaluation.spec.limits.artifacts
        self._findings = findings
        self._deadline = deadline
        self._progress = progress
        self._account = account
        self._since: float | None = None

    async def keep(self, sandbox: Sandbox) -> Sequence[ArtifactRecord]:
        """Their stream begins when the command has ended, or says so."""
        directory = self._around.store.artifact_dir(*self._key)
        kept = await extract(
            self._timed(sandbox),
            directory,
            max_bytes=self._limit,
            score=self._findings.score_file,
        )
        if self._since is not None:
            self._account.collected(self._since)
        self._deadline.grant(GRACE)
        return kept

    async def _timed(self, sandbox: Sandbox) -> AsyncIterator[bytes]:
        time = asyncio.get_running_loop().time
        async for data in sandbox.artifacts():
            if self._since is None:
                await self._enter()
                self._deadline.grant(GRACE + self._limit / RATE)
                self._since = self._around.clock.now()
            began = time()
            yield data
            self._deadline.postpone(time() - began)

    async def _enter(self) -> None:
        if self._findings.score_file is None:
            self._progress.enter(Phase.KEEPING)
            return
        self._progress.enter(Phase.SCORING)
        # It is for those who watch: a disk that is full shows when the verdict is recorded.
        with suppress(StoreError):
            await self._around.store.mark_scoring(*self._key, self._around.clock.now())
