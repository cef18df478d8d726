"""What a batch file comes to: one unit for each task and agent, and of it the evaluations."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalbox.batches.file import TASK, AgentEntry, BatchFile, ReduceEntry, TaskEntry
from evalbox.batches.matching import Found, match
from evalbox.domain.admissible import MAX_AT_ONCE
from evalbox.domain.evaluation import AGENT, EvaluationSpec
from evalbox.domain.experiment import EPOCH, THRESHOLD
from evalbox.domain.reduction import REDUCES
from evalbox.errors import EvalboxError, ImageBuildError, InvalidInput, TaskError
from evalbox.requests.making import Progress, Workshop
from evalbox.requests.prepared import Prepared
from evalbox.requests.request import Defaults, Request
from evalbox.tasks.standard import planning as families
from evalbox.tasks.standard.format import find
from evalbox.tasks.strict import Node
from evalbox.wire.specification import specification

if TYPE_CHECKING:
    from evalbox.requests.attempts import PreparedFamily

#: What the options of the whole batch may say that is for scripts alone, or for families alone.
_SCRIPTS_ONLY = ("score", "stdin", "user")
_FAMILIES_ONLY = ("secrets", "deadline")
#: What is no part of what is measured: it may be another when a batch is gone on with.
_ASIDE = ("priority", "retry", "not_before", "idempotency_key", "env", "labels")


@dataclass(frozen=True, slots=True)
class Unit:
    """One task, or those of a family, attempted by one agent (empty: none) in one variant.

    ``env`` are the variables that the file itself gives, which are a part of what is measured.
    """

    asked: Prepared | PreparedFamily
    node: Node
    title: str
    agent: str
    family: bool
    env: tuple[str, ...]

    async def specs(
        self, batch: str, epochs: int, workshop: Workshop, progress: Progress
    ) -> list[EvaluationSpec]:
        """Stores files, and has images made; one for each evaluation. Raises ``EvalboxError``."""
        try:
            made = await self.asked.specs(workshop, progress)
        except (InvalidInput, TaskError, ImageBuildError) as error:
            raise placed(self.node, error) from None
        return [
            _epoch(spec, batch, epoch, digest)
            for spec, digest in ((spec, content(spec, self.env)) for spec in made)
            for epoch in range(1, epochs + 1)
        ]


def units(file: BatchFile, defaults: Defaults, *, now: float) -> list[Unit]:
    """Reads and checks all that is named. Raises ``InvalidInput`` and ``FileMissing``."""
    found = [(entry, one) for entry in file.tasks for one in match(entry)]
    names = _names(found, file.path.parent)
    made = [
        _unit(file, entry, one, name, agent, variant, defaults, now)
        for (entry, one), name in zip(found, names, strict=True)
        for agent in _agents(file, entry, family=one.family)
        for variant in file.variants
    ]
    _check_once(made)
    if len(made) * file.epochs > MAX_AT_ONCE:
        raise InvalidInput(
            f"{file.path}: makes {len(made) * file.epochs:,} evaluations",
            hint=f"at most {MAX_AT_ONCE:,}",
        )
    return made


def reduce_request(file: BatchFile, entry: ReduceEntry) -> Request:
    own = entry.options.over(file.options.without(*_FAMILIES_ONLY, *_SCRIPTS_ONLY, "env"))
    called = Path(entry.path).name if entry.path else own.given["command"][0]
    return Request(
        path=entry.path,
        name=f"{file.name}: {called}"[:200],
        label=(*file.labels, f"{REDUCES}={file.name}"),
        **own.given,
    )


def prepared(request: Request, node: Node, nodes: Mapping[str, Node], defaults: Defaults,
             *, now: float) -> Prepared | PreparedFamily:  # fmt: skip
    """What is wrong is told with the line of what is at fault."""
    try:
        return request.prepare(defaults, now=now)
    except InvalidInput as error:
        field = error.field.replace("-", "_")
        raise placed(nodes.get(field, node), error) from None
    except EvalboxError as error:
        raise placed(node, error) from None


def placed(node: Node, error: EvalboxError) -> EvalboxError:
    wrong = node.wrong(error.message, hint=error.hint)
    return wrong if isinstance(error, InvalidInput) else type(error)(wrong.message, hint=error.hint)


def content(spec: EvaluationSpec, env: Sequence[str]) -> str:
    """A digest of all that may change a result, less what may be secret, and less our own driver,
    so that a newer evalbox goes on with what an older one began.
    """
    body = {key: value for key, value in specification(spec).items() if key not in _ASIDE}
    body["inputs"] = _foreign(body["inputs"])
    if body["build"] is not None:
        body["build"] = {**body["build"], "files": _foreign(body["build"]["files"])}
    body["env"] = [sorted(env), sorted(spec.env)]
    text = json.dumps(body, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _foreign(files: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [file for file in files if file["path"] != families.DRIVER]


def _epoch(spec: EvaluationSpec, batch: str, epoch: int, digest: str) -> EvaluationSpec:
    told = [batch, spec.name, spec.labels.get(AGENT, ""), epoch, digest]
    key = hashlib.sha256(json.dumps(told).encode("utf-8", "surrogatepass")).hexdigest()
    labels = {**spec.labels, TASK: spec.name[:200], EPOCH: str(epoch)}
    return replace(spec, labels=labels, idempotency_key=f"batch-{key[:40]}")


def _unit(
    file: BatchFile,
    entry: TaskEntry,
    found: Found,
    name: str,
    agent: AgentEntry | None,
    variant: Mapping[str, str],
    defaults: Defaults,
    now: float,
) -> Unit:
    options = entry.options.over(file.options.without(*_foreign_options(found.family)))
    if agent is not None:
        options = agent.options.over(options)
    varied = tuple(f"{key}={value}" for key, value in variant.items())
    env = (*options.given.get("env", ()), *varied)
    given: dict[str, Any] = {**options.given, "env": env}
    if found.family and found.tasks:
        given["task"] = found.tasks
    if found.path is None:
        given["command"] = (*given["command"], *given.pop("arguments", ()))
    path = None if found.path is None else str(found.path)
    request = Request(path=path, batch=file.name, label=(*file.labels, *varied),
                      name=None if found.family else name, **given)  # fmt: skip
    asked = prepared(request, entry.node, options.nodes, defaults, now=now)
    called = _called(agent, asked.spec.labels.get(AGENT, ""), varied)
    labels = dict(asked.spec.labels)
    if called:
        labels[AGENT] = called
    if file.pass_score is not None:
        labels[THRESHOLD] = f"{file.pass_score:g}"
    spec = replace(asked.spec, labels=labels)
    said = tuple(text for text in env if "=" in text)
    return Unit(replace(asked, spec=spec), entry.node, name, called, found.family, said)


def _foreign_options(family: bool) -> tuple[str, ...]:
    return _SCRIPTS_ONLY if family else _FAMILIES_ONLY


def _called(agent: AgentEntry | None, own: str, varied: Sequence[str]) -> str:
    name = agent.name if agent is not None and agent.name is not None else own
    return " ".join([name, *varied]).strip()[:200]


def _agents(file: BatchFile, entry: TaskEntry, *, family: bool) -> Sequence[AgentEntry | None]:
    """A script that no agent is for is its own."""
    chosen = [agent for agent in file.agents if agent.attempts == family]
    if family and not chosen:
        raise entry.node.wrong(
            "nobody is to attempt it",
            hint="name agents, with an agent or a submission",
        )
    return chosen or [None]


def _names(found: Sequence[tuple[TaskEntry, Found]], base: Path) -> list[str]:
    """Of scripts that are called alike, the paths."""
    plain = [entry.name or _plain(entry, one) for entry, one in found]
    often = Counter(plain)
    return [
        _beneath(one.path, base)
        if entry.name is None and one.path is not None and often[name] > 1
        else name
        for name, (entry, one) in zip(plain, found, strict=True)
    ]


def _plain(entry: TaskEntry, one: Found) -> str:
    if one.path is None:
        return str(entry.options.given["command"][0])[:80]
    if not one.family:
        return one.path.name
    place = find(one.path)
    if place is None or place.task is None:
        return f"{one.path.name}/{','.join(one.tasks) or '*'}"
    return f"{place.family}/{place.task}"


def _beneath(path: Path, base: Path) -> str:
    return str(path.relative_to(base) if path.is_relative_to(base) else path)


def _check_once(made: Sequence[Unit]) -> None:
    seen: set[tuple[str, str]] = set()
    for unit in made:
        key = (unit.title, unit.agent)
        if key in seen:
            by = f" by {unit.agent}" if unit.agent else ""
            raise unit.node.wrong(
                f"{unit.title}{by} is there twice", hint="give tasks and agents names that differ"
            )
        seen.add(key)
