"""A Box elsewhere, or in another process of this machine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from evalbox.domain.activity import Activity
from evalbox.domain.attempt import Attempt, Usage
from evalbox.domain.batch import Batch
from evalbox.domain.check import Check
from evalbox.domain.evaluation import Evaluation, EvaluationSpec, Priority
from evalbox.domain.event import Event
from evalbox.domain.grading import graded
from evalbox.domain.host import HostReport
from evalbox.domain.records import ArtifactRecord, EvaluationFilter, OutputPiece, QueueStatus
from evalbox.domain.reduction import BatchPlan
from evalbox.domain.report import TaskReport
from evalbox.domain.sandbox import ExecSpec
from evalbox.domain.state import FINAL
from evalbox.errors import ArtifactNotFound, ServiceUnreachable
from evalbox.service.images import Images
from evalbox.service.remote import downloads
from evalbox.service.remote.access import RemoteAudit, RemoteKeys
from evalbox.service.remote.client import Client
from evalbox.service.remote.execution import RemoteExec
from evalbox.service.remote.images import RemoteImages
from evalbox.service.remote.sandboxes import RemoteSandboxes
from evalbox.service.remote.segment import segment as _segment
from evalbox.service.remote.webhooks import RemoteWebhooks
from evalbox.wire import reading
from evalbox.wire.moments import iso_or_none
from evalbox.wire.reports import report_from
from evalbox.wire.specification import specification

#: Seconds that one request waits for an end, which is then asked for again.
_WAIT = 30.0
#: Seconds that a box may take for its checks, and to write a backup, without a word.
_CHECKING, _BACKING_UP = 600.0, 3600.0

#: What goes into one request to submit: well below what a box takes in, and soon answered.
_MOST_AT_ONCE, _MOST_CHARACTERS = 1000, 2 << 20

_UNKEPT = frozenset({"", ".", ".."})


class RemoteBox:
    """Implements ``Box`` over the API."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._images = RemoteImages(client)
        self._keys = RemoteKeys(client)
        self._audit = RemoteAudit(client)
        self._sandboxes = RemoteSandboxes(client)
        self._webhooks = RemoteWebhooks(client)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.close()

    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        answer = await self._client.upload("POST", "/blobs", source)
        return answer["blob"], answer["size"]

    async def read_blob(self, blob: str) -> AsyncIterator[bytes]:
        async for data in self._client.pieces("GET", f"/blobs/{_segment(blob)}"):
            yield data

    async def submit(self, specs: Sequence[EvaluationSpec]) -> Sequence[Evaluation]:
        """More than fits a request goes in several, each of which is queued whole or not at all."""
        made: list[Evaluation] = []
        for part in _parts([specification(spec) for spec in specs]):
            answer = await self._client.post("/evaluations/batch", {"evaluations": part})
            made += [reading.evaluation(item) for item in answer["items"]]
        return made

    async def resolve(self, reference: str) -> str:
        answer = await self._client.get(f"/evaluations/{_segment(reference)}")
        return str(answer["id"])

    async def get(self, evaluation_id: str) -> Evaluation:
        return reading.evaluation(await self._client.get(f"/evaluations/{_segment(evaluation_id)}"))

    async def list(
        self, query: EvaluationFilter, *, limit: int = 100, after: str | None = None
    ) -> Sequence[Evaluation]:
        parameters: list[tuple[str, str | int | None]] = [
            *(("state", state) for state in sorted(query.states)),
            *(("outcome", outcome) for outcome in sorted(query.outcomes)),
            *(("score", kind) for kind in sorted(query.scores)),
            *(("label", f"{key}={value}") for key, value in query.labels.items()),
            ("batch", query.batch),
            ("name", query.name),
            ("engine", query.engine),
            ("priority", None if query.priority is None else query.priority.name.lower()),
            ("created_after", iso_or_none(query.created_after)),
            ("created_before", iso_or_none(query.created_before)),
            ("limit", limit),
            ("cursor", after),
        ]
        answer = await self._client.get("/evaluations", parameters)
        return [reading.evaluation(item) for item in answer["items"]]

    async def attempts(self, evaluation_id: str) -> Sequence[Attempt]:
        answer = await self._client.get(f"/evaluations/{_segment(evaluation_id)}/attempts")
        return [reading.attempt(evaluation_id, item) for item in answer]

    async def samples(self, evaluation_id: str, attempt: int) -> Sequence[tuple[float, Usage]]:
        path = f"/evaluations/{_segment(evaluation_id)}/attempts/{attempt}/samples"
        return [reading.sample(item) for item in await self._client.get(path)]

    async def output(
        self,
        evaluation_id: str,
        *,
        attempt: int | None = None,
        offset: int = 0,
        follow: bool = False,
    ) -> AsyncIterator[OutputPiece]:
        path = f"/evaluations/{_segment(evaluation_id)}/output/stream"
        query = {"attempt": attempt, "offset": offset, "follow": follow}
        async for event in self._client.events(path, query=query):
            if event.kind == "piece":
                yield reading.piece(event.data)
            elif event.kind == "end":
                return
        raise ServiceUnreachable("the box ended before the output did", hint="ask again")

    async def wait(self, evaluation_id: str) -> Evaluation:
        path = f"/evaluations/{_segment(evaluation_id)}"
        while True:
            found = reading.evaluation(await self._client.get(path, {"wait": _WAIT}))
            if found.state in FINAL:
                return found

    async def cancel(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        answer = await self._client.post("/evaluations/cancel", {"ids": list(ids)})
        return [reading.evaluation(item) for item in answer["items"]]

    async def retry(self, ids: Sequence[str]) -> Sequence[Evaluation]:
        answer = await self._client.post("/evaluations/retry", {"ids": list(ids)})
        return [reading.evaluation(item) for item in answer["items"]]

    async def remove(self, ids: Sequence[str]) -> None:
        await self._client.post("/evaluations/delete", {"ids": list(ids)})

    async def prioritize(self, ids: Sequence[str], priority: Priority) -> Sequence[Evaluation]:
        body = {"ids": list(ids), "priority": priority.name.lower()}
        answer = await self._client.post("/evaluations/prioritize", body)
        return [reading.evaluation(item) for item in answer["items"]]

    async def set_score(
        self, evaluation_id: str, value: float, *, by: str, note: str = ""
    ) -> Evaluation:
        # JSON has no words for what is not finite; the box would refuse it just so.
        graded(value, by=by, note=note, at=0.0)
        path = f"/evaluations/{_segment(evaluation_id)}/score"
        body = {"value": value, "by": by, "note": note}
        return reading.evaluation(await self._client.post(path, body))

    async def report(self, evaluation_id: str, *, attempt: int | None = None) -> TaskReport | None:
        path = f"/evaluations/{_segment(evaluation_id)}/report"
        return report_from(await self._client.get(path, {"attempt": attempt}))

    async def activity(self) -> Sequence[Activity]:
        return [reading.activity(item) for item in await self._client.get("/activity")]

    async def shell(self, evaluation_id: str, spec: ExecSpec) -> RemoteExec:
        path = f"/evaluations/{_segment(evaluation_id)}/shell"
        return await RemoteExec.begin(self._client.dial, path, spec)

    async def explain(self, evaluation_id: str) -> str:
        answer = await self._client.get(f"/evaluations/{_segment(evaluation_id)}/explanation")
        return str(answer["explanation"])

    async def artifacts(
        self, evaluation_id: str, *, attempt: int | None = None
    ) -> Sequence[ArtifactRecord]:
        path = f"/evaluations/{_segment(evaluation_id)}/artifacts"
        return [
            reading.artifact(item) for item in await self._client.get(path, {"attempt": attempt})
        ]

    async def read_artifact(
        self, evaluation_id: str, path: str, *, attempt: int | None = None
    ) -> AsyncIterator[bytes]:
        if _UNKEPT & set(path.split("/")):
            # No such name is ever kept; in a URL it would name something else.
            raise ArtifactNotFound(
                f"evaluation {evaluation_id} kept no artifact {path!r}",
                hint="list them with: evalbox artifacts ID",
            )
        where = f"/evaluations/{_segment(evaluation_id)}/artifacts/{quote(path)}"
        async for data in self._client.pieces("GET", where, query={"attempt": attempt}):
            yield data

    async def batches(self) -> Sequence[Batch]:
        return [reading.batch(item) for item in await self._client.get("/batches")]

    async def batch(self, name: str) -> Batch:
        return reading.batch(await self._client.get(f"/batches/{_segment(name)}"))

    async def set_batch_concurrency(self, name: str, concurrency: int | None) -> Batch:
        body = {"concurrency": concurrency}
        answer = await self._client.send("PATCH", f"/batches/{_segment(name)}", body=body)
        return reading.batch(answer)

    async def plan_batch(self, name: str, plan: BatchPlan) -> Batch:
        reduce = None if plan.reduce is None else specification(plan.reduce)
        body = {"fail_fast": plan.fail_fast, "reduce": reduce}
        answer = await self._client.send("PUT", f"/batches/{_segment(name)}", body=body)
        return reading.batch(answer)

    async def queue(self) -> QueueStatus:
        return reading.queue(await self._client.get("/queue"))

    async def pause(self) -> None:
        await self._client.post("/queue/pause")

    async def resume(self) -> None:
        await self._client.post("/queue/resume")

    async def set_slots(self, slots: int) -> None:
        await self._client.send("PATCH", "/queue", body={"slots": slots})

    async def events(
        self,
        *,
        after: int = 0,
        follow: bool = False,
        evaluation_id: str | None = None,
        batch: str | None = None,
    ) -> AsyncIterator[Event]:
        query = {"after": after, "evaluation": evaluation_id, "batch": batch, "follow": follow}
        async for event in self._client.events("/events/stream", query=query):
            if event.kind == "event":
                yield reading.event(event.data)
        if follow:
            raise ServiceUnreachable("the box ended the feed", hint="ask again")

    async def last_seq(self) -> int:
        return int((await self._client.get("/events/last"))["seq"])

    async def require_engine(self, name: str = "") -> None:
        await self._client.send("POST", "/engines/ping", query={"name": name or None})

    async def host(self, *, since: float | None = None) -> HostReport:
        return reading.host(await self._client.get("/host", {"since": iso_or_none(since)}))

    async def diagnose(self, engines: Sequence[str] = ()) -> AsyncIterator[Check]:
        query = [("engine", name) for name in engines]
        for item in await self._client.send("GET", "/checks", query=query, silence=_CHECKING):
            yield reading.check(item)

    @property
    def images(self) -> Images:
        return self._images

    @property
    def keys(self) -> RemoteKeys:
        return self._keys

    @property
    def sandboxes(self) -> RemoteSandboxes:
        return self._sandboxes

    @property
    def audit(self) -> RemoteAudit:
        return self._audit

    @property
    def webhooks(self) -> RemoteWebhooks:
        return self._webhooks

    async def backup(self, target: Path) -> None:
        content = self._client.pieces("POST", "/backup", silence=_BACKING_UP)
        await downloads.write(content, target)


def _parts(documents: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    part: list[dict[str, Any]] = []
    size = 0
    for document in documents:
        length = len(json.dumps(document))
        if part and (len(part) == _MOST_AT_ONCE or size + length > _MOST_CHARACTERS):
            yield part
            part, size = [], 0
        part.append(document)
        size += length
    yield part
