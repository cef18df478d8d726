"""From what a client sent to what is queued."""

from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC
from typing import Any

from evalbox.api.models import AskedBody, ContentBody, EvaluationBody, ImageBuildBody, InputBody
from evalbox.domain.building import ImageBuild
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Priority
from evalbox.domain.limits import Limits
from evalbox.domain.paths import STDIN, destination
from evalbox.domain.retry import RetryPolicy
from evalbox.errors import InvalidInput
from evalbox.service.box import Box
from evalbox.tasks.base import Task, command_task
from evalbox.tasks.script import script


async def specification(
    body: EvaluationBody, box: Box, *, now: float, idempotency_key: str | None = None
) -> EvaluationSpec:
    """Stores the contents that came along. Raises ``InvalidInput`` that names the field."""
    task = _task(body)
    stdin = await content(body.stdin, STDIN, 0o644, box, "stdin") if body.stdin else None
    asked = await common(body, box, now=now, idempotency_key=idempotency_key)
    given: dict[str, Any] = {"user": body.user, "workdir": body.workdir, "kind": body.kind}
    return replace(
        asked,
        name=asked.name or task.name,
        command=task.command,
        inputs=(*await task.upload(box.upload), *asked.inputs),
        stdin=stdin,
        score=body.score,
        build=None if body.build is None else await image_build(body.build, box),
        capabilities=tuple(body.capabilities),
        **{"kind": task.kind} | {key: value for key, value in given.items() if value is not None},
    )


async def common(
    body: AskedBody, box: Box, *, now: float, idempotency_key: str | None
) -> EvaluationSpec:
    """What is said of an evaluation whatever is run; it has no command yet, and maybe no name."""
    return EvaluationSpec(
        name=body.name or "",
        command=(),
        image=body.image or "",
        engine=body.engine or "",
        env=body.env,
        inputs=tuple([await _input(item, box) for item in body.inputs]),
        artifacts=tuple(body.artifacts),
        network=body.network,
        limits=Limits(**named_limits(body)),
        priority=Priority[body.priority.upper()],
        retry=RetryPolicy(**body.retry.model_dump(exclude_none=True)),
        not_before=_start(body, now),
        batch=body.batch,
        labels=body.labels,
        idempotency_key=_idempotency_key(body, idempotency_key),
    )


def named_limits(body: AskedBody) -> dict[str, Any]:
    """Those that were asked for by name."""
    return body.limits.model_dump(exclude_none=True)


async def image_build(body: ImageBuildBody, box: Box) -> ImageBuild:
    """Stores the contents that came along. Raises ``InvalidInput`` that names the field."""
    return ImageBuild(
        files=tuple([await _input(item, box) for item in body.files]),
        command=tuple(body.command),
        timeout=body.timeout,
        description=body.description,
    )


def _task(body: EvaluationBody) -> Task:
    match body.script, body.command:
        case None, None:
            raise InvalidInput("there is neither a script nor a command", field="command")
        case None, [_, *_] as command:
            return command_task(command)
        case given, None if given is not None:
            return script(
                given.source.encode(errors="surrogatepass"),
                origin="script",
                name=given.name,
                arguments=given.arguments,
                language=given.language,
            )
    raise InvalidInput("script and command exclude each other", field="script")


def _idempotency_key(body: AskedBody, given: str | None) -> str | None:
    if body.idempotency_key is not None and given not in (None, body.idempotency_key):
        raise InvalidInput(
            "the body and the header have different idempotency keys", field="idempotency_key"
        )
    return body.idempotency_key or given


def _start(body: AskedBody, now: float) -> float | None:
    if body.delay is not None and body.not_before is not None:
        raise InvalidInput("delay and not_before exclude each other", field="delay")
    if body.delay is not None:
        return now + body.delay
    if body.not_before is None:
        return None
    moment = body.not_before
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


async def _input(item: InputBody, box: Box) -> InputFile:
    return await content(item, destination(item.path, field="inputs"), item.mode, box, "inputs")


async def content(item: ContentBody, path: str, mode: int, box: Box, field: str) -> InputFile:
    given = given_bytes(item, field)
    if given is not None:
        return InputFile(path, *await box.upload(given), mode)
    if item.size is None:
        raise InvalidInput(f"{field}: a blob goes with its size", field=field)
    return InputFile(path, str(item.blob), item.size, mode)


def given_bytes(item: ContentBody, field: str) -> bytes | None:
    """None for what was uploaded before. Raises ``InvalidInput``."""
    given = [value for value in (item.blob, item.text, item.base64) if value is not None]
    if len(given) != 1:
        raise InvalidInput(f"{field}: give one of blob, text and base64", field=field)
    if item.text is not None:
        return item.text.encode(errors="surrogatepass")
    if item.base64 is None:
        return None
    try:
        return base64.b64decode(item.base64, validate=True)
    except ValueError:
        raise InvalidInput(f"{field}: is not base64", field=field) from None
