"""Writes down how an attempt ended, and what becomes of its evaluation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from evalbox.domain.attempt import Usage, Verdict
from evalbox.domain.evaluation import Evaluation
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import ArtifactRecord
from evalbox.errors import StoreError
from evalbox.scheduler.account import Account
from evalbox.scheduler.following import Following, following, queue_again
from evalbox.scheduler.surroundings import Surroundings
from evalbox.scheduler.transcript import Transcript
from evalbox.telemetry.logs import get_logger

log = get_logger(__name__)


class Recording:
    """Of one attempt. ``usage`` and ``artifacts`` are set as they become known."""

    def __init__(
        self,
        around: Surroundings,
        evaluation: Evaluation,
        *,
        transcript: Transcript,
        account: Account,
    ) -> None:
        self.usage = Usage()
        self.artifacts: Sequence[ArtifactRecord] = ()
        self._around = around
        self._evaluation = evaluation
        self._transcript = transcript
        self._account = account

    async def end(self, verdict: Verdict, *, outage: bool) -> None:
        """Tries on while the disk is full, since a verdict is never lost. With ``outage`` the
        engine was down, which costs no try.
        """
        after = following(
            self._evaluation,
            verdict.outcome,
            self._around.clock.now(),
            chance=self._around.chance(),
            outage=outage,
        )
        with self._account.phase("verdict"):
            recorded = await insist(lambda: self._finish(verdict, after))
        self._account.ended(verdict, self.usage, self._transcript)
        self._transcript.tell()
        log.info("ended", outcome=verdict.outcome, reason=verdict.reason, recorded=recorded)

    async def give_back(self) -> None:
        """The attempt was let go before the store knew of its sandbox: it has not been."""
        verdict = Verdict(Outcome.INFRA_ERROR, reason="evalbox stopped before it was started")
        with suppress(StoreError):
            await self._finish(verdict, queue_again(self._evaluation))

    async def _finish(self, verdict: Verdict, after: Following) -> bool:
        return await self._around.store.finish(
            self._evaluation.id,
            self._evaluation.attempts,
            self._around.clock.now(),
            verdict=verdict,
            usage=self.usage,
            state=after.state,
            not_before=after.not_before,
            output_bytes=self._transcript.bytes,
            truncated=self._transcript.truncated,
            first_output_at=self._transcript.first_at,
            failures=after.failures,
            infra_failures=after.infra_failures,
            artifacts=self.artifacts,
        )


async def insist(write: Callable[[], Awaitable[bool]]) -> bool:
    """Writes to the store, again and again while it fails: its disk may be full for a while."""
    wait = 1.0
    while True:
        try:
            return await write()
        except StoreError as error:
            log.error("not recorded yet", error=error.message)
            await asyncio.sleep(wait)
            wait = min(30.0, wait * 2)
