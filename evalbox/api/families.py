"""From a family that came as an archive to the evaluations that attempt its tasks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from evalbox.agents.base import Agent
from evalbox.agents.choosing import presentable
from evalbox.agents.program import directory_agent
from evalbox.agents.replay import read_replay
from evalbox.agents.simple import MAX_SUBMISSION, command, human, submission
from evalbox.api.family_models import AgentBody, FamilyEvaluationsBody
from evalbox.api.models import ContentBody
from evalbox.api.specification import common, given_bytes, named_limits
from evalbox.domain.evaluation import Network
from evalbox.domain.quantity import format_size
from evalbox.domain.text import check_name, check_variable
from evalbox.errors import InvalidInput
from evalbox.requests.attempts import PreparedFamily
from evalbox.requests.families import attempts
from evalbox.service.box import Box
from evalbox.tasks.standard.format import Place, find
from evalbox.tasks.unpacking import MAX_TOTAL, unpack

_AGENTS = ("submission", "command", "replay", "directory", "human")


async def prepared(
    body: FamilyEvaluationsBody,
    box: Box,
    scratch: Path,
    *,
    now: float,
    idempotency_key: str | None,
) -> PreparedFamily:
    """``scratch`` is an empty directory, which is needed for as long as what this gives.

    Raises ``InvalidInput`` that names the field, and ``FileMissing``. Nothing of this machine's
    own environment or files can be meant by anything in ``body``.
    """
    for name, value in body.secrets.items():
        check_variable(name, value)
    place = await _family(body, box, scratch)
    spec = await common(body, box, now=now, idempotency_key=idempotency_key)
    return await asyncio.to_thread(
        attempts,
        place,
        await _agent(body.agent, box, scratch),
        spec,
        name=body.agent_name,
        limits=named_limits(body),
        deadlines=body.deadlines,
        patterns=tuple(body.tasks),
        secrets=body.secrets,
        caller={},
        network=None if spec.network is Network.NONE else spec.network,
        repeat=body.repeat,
    )


async def _family(body: FamilyEvaluationsBody, box: Box, scratch: Path) -> Place:
    top = await _unpacked(body.archive, box, scratch / "family", "archive")
    if body.family is not None:
        top = await asyncio.to_thread(_renamed, top, body.family)
    place = await asyncio.to_thread(find, top)
    if place is None or place.task is not None:
        raise InvalidInput(
            f"archive: there is no {top.name}.py with a class TaskFamily in it",
            hint="pack the directory of the family, or name the family",
            field="archive",
        )
    return place


async def _agent(body: AgentBody, box: Box, scratch: Path) -> Agent:
    said = [name for name in _AGENTS if getattr(body, name) is not None]
    if len(said) != 1:
        raise InvalidInput(f"agent: give one of {', '.join(_AGENTS)}", field="agent")
    if body.submission is not None:
        return submission(await _bytes(body.submission, box, "submission", MAX_SUBMISSION))
    if body.command is not None:
        return presentable(command(body.command))
    if body.replay is not None:
        steps = [step.model_dump(exclude_none=True) for step in body.replay]
        # JSON is YAML, so that the rules are those of a file.
        source = json.dumps(steps).encode()
        plan = {"kind": "replay", "steps": await asyncio.to_thread(read_replay, source, "replay")}
        return Agent("replay", plan)
    if body.directory is not None:
        top = await _unpacked(body.directory, box, scratch / "agent", "directory")
        return presentable(await asyncio.to_thread(directory_agent, top))
    return human()


async def _unpacked(item: ContentBody, box: Box, target: Path, field: str) -> Path:
    """The one directory that the archive holds, or else ``target`` with all that it holds."""
    archive = target.with_name(f"{target.name}.archive")
    await asyncio.to_thread(target.mkdir)
    with archive.open("xb") as file:
        async for data in _pieces(item, box, field, MAX_TOTAL):
            await asyncio.to_thread(file.write, data)
    await asyncio.to_thread(unpack, archive, target, field=field)
    await asyncio.to_thread(archive.unlink)
    return await asyncio.to_thread(_top, target)


def _top(target: Path) -> Path:
    found = list(target.iterdir())
    alone = len(found) == 1 and found[0].is_dir() and not found[0].is_symlink()
    return found[0] if alone else target


def _renamed(top: Path, family: str) -> Path:
    if family in (".", "..") or "/" in family:
        raise InvalidInput(f"family: {family!r} is no name of a directory", field="family")
    check_name(family, field="family")
    if top.name == family:
        return top
    return top.rename(top.with_name(family))


async def _pieces(
    item: ContentBody, box: Box, field: str, most: int
) -> AsyncGenerator[bytes, None]:
    given = given_bytes(item, field)
    size = 0
    if given is not None:
        yield given
        return
    async with aclosing(box.read_blob(str(item.blob))) as source:  # type: ignore[type-var]
        async for data in source:
            size += len(data)
            if size > most:
                raise InvalidInput(f"{field}: is over {format_size(most)}", field=field)
            yield data


async def _bytes(item: ContentBody, box: Box, field: str, most: int) -> bytes:
    return b"".join([data async for data in _pieces(item, box, field, most)])
