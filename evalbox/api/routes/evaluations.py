"""``/evaluations``: what is asked for, and what came of it."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from starlette.websockets import WebSocket

from evalbox.api.auth import requires
from evalbox.api.context import TheBox, TheContext
from evalbox.api.conversation import converse
from evalbox.api.models import (
    EvaluationBody,
    EvaluationsBody,
    IdsBody,
    PriorityBody,
    PriorityName,
    ScoreBody,
)
from evalbox.api.moments import moment
from evalbox.api.paging import Cursor, Limit, Page, page
from evalbox.api.references import AttemptNumber, EvaluationId, MaybeAttempt, resolved
from evalbox.api.specification import specification
from evalbox.domain.access import Scope
from evalbox.domain.evaluation import Priority
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.domain.score import ScoreKind
from evalbox.domain.state import FINAL, State
from evalbox.errors import InvalidInput
from evalbox.wire import document
from evalbox.wire.reports import TaskReportDocument, report
from evalbox.wire.shapes import (
    AttemptDocument,
    EvaluationDocument,
    ExplanationDocument,
    SampleDocument,
)

router = APIRouter(prefix="/evaluations", tags=["evaluations"])
READ, SUBMIT = [requires(Scope.READ)], [requires(Scope.SUBMIT)]
# A shell sees the values of secrets, and can change what comes of the job.
ADMIN = [requires(Scope.ADMIN)]

#: Longest time in seconds that one request waits for an end.
MAX_WAIT = 60.0
IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=200)]


@router.post("", status_code=201, dependencies=SUBMIT)
async def create_evaluation(
    body: EvaluationBody,
    context: TheContext,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> EvaluationDocument:
    """Queues one evaluation. It is durable when this answers.

    With an idempotency key, in the body or in the header, the same request a second time gives the
    evaluation of the first.
    """
    spec = await specification(
        body, context.box, now=context.clock.now(), idempotency_key=idempotency_key
    )
    (made,) = await context.box.submit([spec])
    response.headers["Location"] = f"/api/v1/evaluations/{made.id}"
    return document.evaluation(made)


@router.post("/batch", status_code=201, dependencies=SUBMIT)
async def create_evaluations(
    body: EvaluationsBody, context: TheContext, idempotency_key: IdempotencyKey = None
) -> Page[EvaluationDocument]:
    """Queues many evaluations, all or none.

    With an idempotency key in the header, the one at place N of the list, from 1, gets ``KEY/N``
    where it has none of its own.
    """
    now = context.clock.now()
    specs = []
    for number, item in enumerate(body.evaluations, start=1):
        own = idempotency_key is None or item.idempotency_key is not None
        key = None if own else f"{idempotency_key}/{number}"
        specs.append(await specification(item, context.box, now=now, idempotency_key=key))
    made = await context.box.submit(specs)
    return page(made)


async def _filter(
    state: Annotated[list[State] | None, Query()] = None,
    outcome: Annotated[list[Outcome] | None, Query()] = None,
    score: Annotated[list[ScoreKind] | None, Query()] = None,
    batch: str | None = None,
    name: Annotated[str | None, Query(description="A glob, as in fizz*")] = None,
    label: Annotated[list[str] | None, Query(description="KEY=VALUE; all must match")] = None,
    engine: str | None = None,
    priority: PriorityName | None = None,
    created_after: Annotated[str | None, Query(description="ISO 8601")] = None,
    created_before: Annotated[str | None, Query(description="ISO 8601")] = None,
) -> EvaluationFilter:
    return EvaluationFilter(
        states=frozenset(state or ()),
        outcomes=frozenset(outcome or ()),
        scores=frozenset(score or ()),
        batch=batch,
        name=name,
        labels=dict(_pair(text) for text in label or ()),
        engine=engine,
        priority=None if priority is None else Priority[priority.upper()],
        created_after=moment(created_after, "created_after"),
        created_before=moment(created_before, "created_before"),
    )


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidInput(f"label: {text[:60]!r} is not KEY=VALUE", field="label")
    return key, value


@router.get("", dependencies=READ)
async def list_evaluations(
    box: TheBox,
    query: Annotated[EvaluationFilter, Depends(_filter)],
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EvaluationDocument]:
    """Evaluations, the newest first."""
    found = await box.list(query, limit=limit, after=cursor)
    return page(found, limit)


@router.post("/cancel", dependencies=SUBMIT)
async def cancel_evaluations(body: IdsBody, box: TheBox) -> Page[EvaluationDocument]:
    """Cancels all of them, or none where one has ended."""
    return page(await box.cancel(await resolved(box, body.ids)))


@router.post("/retry", dependencies=SUBMIT)
async def retry_evaluations(body: IdsBody, box: TheBox) -> Page[EvaluationDocument]:
    """Queues all of them again, or none where one has not ended."""
    return page(await box.retry(await resolved(box, body.ids)))


@router.post("/prioritize", dependencies=SUBMIT)
async def prioritize_evaluations(body: PriorityBody, box: TheBox) -> Page[EvaluationDocument]:
    """Puts all of them elsewhere in the line, or none where one is not queued."""
    ids = await resolved(box, body.ids)
    return page(await box.prioritize(ids, Priority[body.priority.upper()]))


@router.post("/delete", status_code=204, dependencies=SUBMIT)
async def delete_evaluations(body: IdsBody, box: TheBox) -> None:
    """Removes all of them with their files, or none where one has not ended."""
    await box.remove(await resolved(box, body.ids))


@router.get("/{id}", dependencies=READ)
async def get_evaluation(
    evaluation_id: EvaluationId,
    box: TheBox,
    wait: Annotated[
        float, Query(ge=0, le=MAX_WAIT, description="Seconds to wait for the end")
    ] = 0.0,
) -> EvaluationDocument:
    """One evaluation; with ``wait`` as it is when it has ended, or after so many seconds."""
    found = await box.get(evaluation_id)
    if wait and found.state not in FINAL:
        try:
            async with asyncio.timeout(wait):
                found = await box.wait(evaluation_id)
        except TimeoutError:
            found = await box.get(evaluation_id)
    return document.evaluation(found)


@router.delete("/{id}", status_code=204, dependencies=SUBMIT)
async def delete_evaluation(evaluation_id: EvaluationId, box: TheBox) -> None:
    """Removes an evaluation that has ended, with its files."""
    await box.remove([evaluation_id])


@router.post("/{id}/cancel", dependencies=SUBMIT)
async def cancel_evaluation(evaluation_id: EvaluationId, box: TheBox) -> EvaluationDocument:
    """Takes it out of the queue, or kills what runs."""
    return document.evaluation((await box.cancel([evaluation_id]))[0])


@router.post("/{id}/retry", dependencies=SUBMIT)
async def retry_evaluation(evaluation_id: EvaluationId, box: TheBox) -> EvaluationDocument:
    """Queues an evaluation again that has ended, dead ones too."""
    return document.evaluation((await box.retry([evaluation_id]))[0])


@router.post("/{id}/score", dependencies=SUBMIT)
async def score_evaluation(
    evaluation_id: EvaluationId, body: ScoreBody, box: TheBox
) -> EvaluationDocument:
    """Says what it is worth, once it is completed or has failed.

    The score is that of its last attempt. The one before stays in the events.
    """
    scored = await box.set_score(evaluation_id, body.value, by=body.by, note=body.note)
    return document.evaluation(scored)


@router.get("/{id}/report", dependencies=READ, response_model=TaskReportDocument | None)
async def get_report(
    evaluation_id: EvaluationId, box: TheBox, attempt: MaybeAttempt = None
) -> Response:
    """What the driver of a task reports of its life; null where there is none, as of a script."""
    found = await box.report(evaluation_id, attempt=attempt)
    # It may be long, and must not hold up everybody else.
    content = await asyncio.to_thread(lambda: json.dumps(found and report(found)))
    return Response(content, media_type="application/json")


@router.get("/{id}/explanation", dependencies=READ)
async def explain_evaluation(evaluation_id: EvaluationId, box: TheBox) -> ExplanationDocument:
    """In words, why it waits, or how it stands."""
    return {"explanation": await box.explain(evaluation_id)}


@router.websocket("/{id}/shell", dependencies=ADMIN)
async def open_shell(websocket: WebSocket, evaluation_id: EvaluationId, box: TheBox) -> None:
    await converse(websocket, partial(box.shell, evaluation_id))


@router.get("/{id}/attempts", dependencies=READ)
async def list_attempts(evaluation_id: EvaluationId, box: TheBox) -> list[AttemptDocument]:
    """Every try, the first one first."""
    return [document.attempt(item) for item in await box.attempts(evaluation_id)]


@router.get("/{id}/attempts/{number}/samples", dependencies=READ)
async def list_samples(
    evaluation_id: EvaluationId, number: AttemptNumber, box: TheBox
) -> list[SampleDocument]:
    """What the sandbox of an attempt used over time."""
    return [document.sample(at, usage) for at, usage in await box.samples(evaluation_id, number)]
