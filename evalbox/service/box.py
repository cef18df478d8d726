"""Box: what front ends can do, whether the service is in this process or elsewhere.

Ids given to a Box are full ids; ``resolve`` makes them from what people type. Every method raises
the errors of ``evalbox.errors`` and no others.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Protocol

from evalbox.domain.access import ApiKey, Scope
from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.audit import AuditEntry, AuditReport, Pruned
from evalbox.domain.batch import Batch
from evalbox.domain.check import Check
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, Priority
from evalbox.domain.event import Event
from evalbox.domain.host import HostReport
from evalbox.domain.records import ArtifactRecord, EvaluationFilter, OutputPiece, QueueStatus
from evalbox.domain.reduction import BatchPlan
from evalbox.domain.report import TaskReport
from evalbox.domain.sandbox import ExecSpec
from evalbox.service.images import Images
from evalbox.service.sandbox_box import Sandboxes, SandboxExec
from evalbox.service.webhooks import Webhooks


class Keys(Protocol):
    """The keys with which the box is used over TCP."""

    async def create(
        self,
        name: str,
        scopes: Collection[Scope],
        *,
        expires_at: float | None = None,
        signing: bool = False,
    ) -> tuple[ApiKey, str]:
        """The key and its token, which is told this once. Raises ``InvalidInput``, ``Conflict``.

        ``signing``: its token is never sent; requests are signed with it.
        """
        ...

    async def list(self) -> Sequence[ApiKey]:
        """All keys, the newest first, those that are not in force any more included."""
        ...

    async def revoke(self, reference: str) -> ApiKey:
        """By id, or by the name of one in force. Raises ``KeyNotFound``."""
        ...


class Audit(Protocol):
    """The log of who did what. It is added to, and pruned from its beginning."""

    async def list(self, *, after: int | None = None, limit: int = 100) -> Sequence[AuditEntry]:
        """The entries behind ``after``, or the newest ones; the oldest of them first."""
        ...

    async def prune(self, before: float) -> Pruned:
        """Takes out the entries from before a moment, a day ago at the latest.

        An entry tells of it, with the hash that what is left follows. Raises ``InvalidInput``.
        """
        ...

    async def verify(self, expect: str | None = None) -> AuditReport:
        """Looks through all of it. ``expect`` is a hash that an earlier look gave, to be found."""
        ...


class Box(Protocol):
    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        """Stores the content of an input file; gives its blob (SHA-256, hex) and size in bytes."""
        ...

    def read_blob(self, blob: str) -> AsyncIterator[bytes]:
        """The content that ``upload`` gave the name to. Raises ``FileMissing``."""
        ...

    async def submit(self, specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        """Queues all or none. Durable when it returns.

        Where a specification's engine or image is empty, the box takes its own default.
        """
        ...

    async def resolve(self, reference: str) -> str:
        """The full id for an id, a beginning of one, or a beginning of its short form."""
        ...

    async def get(self, evaluation_id: str) -> Evaluation: ...

    async def list(
        self, query: EvaluationFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[Evaluation]:
        """Newest first; ``after`` is the last id of the page before."""
        ...

    async def attempts(self, evaluation_id: str) -> Sequence[Attempt]: ...

    async def samples(self, evaluation_id: str, attempt: int) -> Sequence[tuple[float, Usage]]: ...

    def output(
        self,
        evaluation_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        follow: bool = False,
    ) -> AsyncIterator[OutputPiece]:
        """The kept output of an attempt (default: the newest).

        With ``follow`` it goes on, over retries too, until the evaluation has ended.
        """
        ...

    async def wait(self, evaluation_id: str) -> Evaluation:
        """Returns when the evaluation is in a final state."""
        ...

    async def cancel(self, ids: Sequence[str]) -> Sequence[Evaluation]: ...

    async def retry(self, ids: Sequence[str]) -> Sequence[Evaluation]: ...

    async def remove(self, ids: Sequence[str]) -> None: ...

    async def prioritize(self, ids: Sequence[str], priority: Priority) -> Sequence[Evaluation]:
        """Puts what waits elsewhere in the line, all or none. Raises ``InvalidTransition``."""
        ...

    async def set_score(
        self, evaluation_id: str, value: float, *, by: str, note: str = ""
    ) -> Evaluation:
        """A person says what its last attempt is worth. The score before stays in the events.

        Raises ``InvalidInput``, and ``InvalidTransition`` where it has not come to its end.
        """
        ...

    async def report(self, evaluation_id: str, *, attempt: int | None = None) -> TaskReport | None:
        """What the driver of a task reports of an attempt (default: the newest).

        None where there is no such report, as of a script.
        """
        ...

    async def activity(self) -> Sequence[Activity]:
        """What the attempts under way are at, the oldest evaluation first."""
        ...

    async def shell(self, evaluation_id: str, spec: ExecSpec) -> SandboxExec:
        """A program beside the job in its sandbox, to look into it.

        Raises ``InvalidTransition`` where it does not run.
        """
        ...

    async def explain(self, evaluation_id: str) -> str:
        """In words, why it waits, or how it stands."""
        ...

    async def artifacts(
        self, evaluation_id: str, *, attempt: int | None = None
    ) -> Sequence[ArtifactRecord]: ...

    def read_artifact(
        self, evaluation_id: str, path: str, *, attempt: int | None = None
    ) -> AsyncIterator[bytes]:
        """Raises ``ArtifactNotFound``."""
        ...

    async def batches(self) -> Sequence[Batch]: ...

    async def batch(self, name: str) -> Batch: ...

    async def set_batch_concurrency(self, name: str, concurrency: int | None) -> Batch: ...

    async def plan_batch(self, name: str, plan: BatchPlan) -> Batch:
        """Sets what the box does with a batch by itself, in place of what was planned before.

        To be said when all of the batch have been submitted: it counts from then on.
        """
        ...

    async def queue(self) -> QueueStatus: ...

    async def pause(self) -> None: ...

    async def resume(self) -> None: ...

    async def set_slots(self, slots: int) -> None: ...

    def events(
        self,
        *,
        after: int = 0,
        follow: bool = False,
        evaluation_id: str | None = None,
        batch: str | None = None,
    ) -> AsyncIterator[Event]:
        """What came after ``after``, in order; with ``follow`` what comes from now on, too."""
        ...

    async def require_engine(self, name: str = "") -> None:
        """Raises ``EngineUnavailable``, with the remedy, where no sandbox could be made now."""
        ...

    async def last_seq(self) -> int:
        """The seq of the newest event, 0 where there is none."""
        ...

    async def host(self, *, since: float | None = None) -> HostReport:
        """The machine, and with ``since`` (seconds since 1970) its history from then on."""
        ...

    def diagnose(self, engines: Sequence[str] = ()) -> AsyncIterator[Check]:
        """Tries what the box needs of its machine; each check as soon as it is known."""
        ...

    @property
    def images(self) -> Images: ...

    @property
    def keys(self) -> Keys: ...

    @property
    def audit(self) -> Audit: ...

    @property
    def sandboxes(self) -> Sandboxes: ...

    @property
    def webhooks(self) -> Webhooks: ...

    async def backup(self, target: Path) -> None: ...

    async def close(self) -> None: ...
