"""The evaluations that attempt tasks of a family, each by an agent."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from evalbox.agents.base import Agent
from evalbox.domain.building import HOUR, ImageBuild
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Network
from evalbox.domain.limits import GIB, MIB, Limits
from evalbox.errors import InvalidInput
from evalbox.requests.making import Progress, Workshop, in_silence
from evalbox.requests.secrets import required
from evalbox.tasks.base import TaskFile
from evalbox.tasks.standard import planning
from evalbox.tasks.standard.description import FamilyFacts, read_description
from evalbox.tasks.standard.family import Family
from evalbox.tasks.standard.manifest import TaskManifest

#: Where neither the manifest nor a flag says otherwise: an interpreter, its packages and a daemon.
DEFAULTS: Mapping[str, float | int] = {"cpus": 1.0, "memory": 1 * GIB, "disk": 4 * GIB, "pids": 512}


@dataclass(frozen=True, slots=True)
class PreparedFamily:
    """A request for one or more tasks of a family, which is read, and whose image is not made yet.

    ``spec`` is what all of its evaluations have in common, with the family's name; its ``env`` are
    the agent's own variables, its ``inputs`` files that are stored already. ``limits`` are those
    that were asked for by name, which go over the manifest's. ``network`` is what was asked for
    where anything was. ``caller`` is the environment that may have what a family requires.
    """

    spec: EvaluationSpec
    family: Family
    agent: Agent
    task: str | None = None
    patterns: tuple[str, ...] = ()
    files: tuple[TaskFile, ...] = ()
    limits: Mapping[str, Any] = field(default_factory=dict)
    deadlines: Mapping[str, float] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    caller: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    network: Network | None = None
    repeat: int = 1

    def __post_init__(self) -> None:
        """Refuses what can be refused already. Raises ``InvalidInput``."""
        if self.spec.engine == "process":
            raise InvalidInput(
                "a family of tasks needs a container, which engine process has not",
                hint="use --engine gvisor",
                field="engine",
            )
        if self.family.machine:
            raise InvalidInput(
                f"{self.family.name}: its get_aux_vm_spec gives every task a virtual machine beside"
                " the sandbox, which this box has not",
                hint="nothing was built; run it where there are such machines",
                field="path",
            )
        for phase in self.deadlines:
            planning.check_phase(phase)
        for name, value in self.spec.env.items():
            if self.secrets.get(name, value) != value:
                raise InvalidInput(
                    f"--env: {name} is another in the file of secrets",
                    hint="leave it out of one of them",
                    field="env",
                )
        for task in [self.task] if self.task else list(self.family.manifest.tasks):
            # That the limits can be had is known before anything is built.
            self._limits(self.family.manifest.of(task))
        if self.task is not None:
            self._refuse_gpus(self.task)

    async def specs(
        self, workshop: Workshop, progress: Progress = in_silence
    ) -> list[EvaluationSpec]:
        """Has the image made, which takes as long as that takes; one for each evaluation.

        Raises ``ImageBuildError``, and ``InvalidInput`` for what only the image tells: that there
        is no such task, or a variable is missing.
        """
        uploads = _Uploads(workshop)
        build = await self._build(uploads)
        known = {name: self.caller[name] for name in self.family.variables if name in self.caller}
        built = await workshop.images.prepare(
            build, progress, base=self.spec.image, engine=self.spec.engine,
            env={**known, **self.secrets},
        )  # fmt: skip
        name = self.family.name
        facts = read_description(built.description, name)
        tasks = facts.chosen(name, self.task, self.patterns)
        for task in tasks:
            self._check(task, facts)
        needed = required(facts.required, self.secrets, self.caller, family=name)
        common = replace(self.spec, build=build, env={**self.secrets, **needed, **self.spec.env})
        found: list[EvaluationSpec] = []
        for task in tasks:
            found += self._repeated(await self._spec(common, task, facts, uploads), len(tasks) > 1)
        return found

    async def _build(self, uploads: _Uploads) -> ImageBuild:
        with tempfile.TemporaryDirectory(prefix="evalbox-") as place:
            archive = Path(place, "family.tar")
            await asyncio.to_thread(self.family.bundle.write, archive)
            files = (
                planning.driver(),
                planning.build_plan(self.family),
                TaskFile(planning.BUNDLE, archive, 0o600),
            )
            inputs = tuple([await uploads.store(file) for file in files])
        return ImageBuild(
            files=inputs,
            command=planning.BUILD_COMMAND,
            timeout=self.deadlines.get("install", HOUR),
            description=planning.DESCRIPTION,
        )

    def _check(self, task: str, facts: FamilyFacts) -> None:
        name = f"{self.family.name}/{task}"
        told = facts.tasks[task]
        if told.machine:
            raise InvalidInput(
                f"{name} needs a virtual machine beside its sandbox, which this box has not",
                hint="run the family's other tasks by name, or with --task",
                field="path",
            )
        if self.network is Network.INTERNET and not told.internet:
            raise InvalidInput(
                f"--network: {name} is to have no network: its get_permissions says so",
                field="network",
            )
        self._refuse_gpus(task)

    def _refuse_gpus(self, task: str) -> None:
        gpus = self.family.manifest.of(task).gpus
        if gpus is not None and gpus.least > 0:
            raise InvalidInput(
                f"{self.family.name}/{task} needs {gpus}, and no sandbox of this box has one",
                hint="run it on another machine, or the family's other tasks with --task",
                field="path",
            )

    async def _spec(
        self, common: EvaluationSpec, task: str, facts: FamilyFacts, uploads: _Uploads
    ) -> EvaluationSpec:
        said = self.family.manifest.of(task)
        internet = facts.tasks[task].internet
        plan = planning.run_plan(
            self.family.name,
            agent={**self.agent.plan, "variables": sorted(self.spec.env)},
            deadlines=self.deadlines,
            network=internet,
            visible=said.visible,
            score_on_limits=said.score_on_limits,
        )
        files = (planning.driver(), plan, *self.agent.files, *self.files)
        sent = tuple([await uploads.store(file) for file in files])
        named = self.spec.name != self.family.name
        return replace(
            common,
            name=common.name if named else f"{self.family.name}/{task}",
            command=planning.run_command(task),
            inputs=(*sent, *common.inputs),
            network=Network.INTERNET if internet else Network.NONE,
            limits=self._limits(said),
        )

    def _limits(self, said: TaskManifest) -> Limits:
        timeout = planning.longest(self.deadlines)
        limits: dict[str, Any] = {**DEFAULTS, **said.resources, **self.limits}
        return Limits(**limits, timeout=timeout, artifacts=256 * MIB)

    def _repeated(self, spec: EvaluationSpec, several: bool) -> list[EvaluationSpec]:
        key = spec.idempotency_key
        if key is None:
            return [spec] * self.repeat
        if several:
            key = f"{key}/{spec.name}"
        return [
            replace(spec, idempotency_key=key if self.repeat == 1 else f"{key}/{number}")
            for number in range(1, self.repeat + 1)
        ]


class _Uploads:
    """Stores each content once, however many evaluations have it."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._known: dict[Path | bytes, tuple[str, int]] = {}

    async def store(self, file: TaskFile) -> InputFile:
        if file.content not in self._known:
            self._known[file.content] = await self._workshop.upload(file.content)
        blob, size = self._known[file.content]
        return InputFile(file.path, blob, size, file.mode)
