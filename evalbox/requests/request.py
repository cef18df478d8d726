"""What was asked for in words, and the evaluations that this makes.

Everything is read and checked before anything is stored, so that a request that is refused leaves
nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalbox.domain.admissible import check_spec
from evalbox.domain.engine import engine_name
from evalbox.domain.evaluation import EvaluationSpec, Network
from evalbox.domain.limits import Limits
from evalbox.domain.paths import STDIN
from evalbox.domain.quantity import parse_duration, parse_size
from evalbox.domain.retry import MAX_RETRIES, RetryPolicy
from evalbox.errors import EvalboxError, FileMissing, InvalidInput
from evalbox.requests import values
from evalbox.requests.environment import environment
from evalbox.requests.input import MAX_PIPE, ReadInput, file_or_pipe, from_pipe, no_input
from evalbox.requests.prepared import Prepared
from evalbox.tasks.base import Task, TaskFile, command_task
from evalbox.tasks.inputs import collect, kept_path
from evalbox.tasks.registry import read_task
from evalbox.tasks.script import MAX_SCRIPT, script
from evalbox.tasks.standard.format import Place, find, near, no_family

if TYPE_CHECKING:
    from evalbox.requests.attempts import PreparedFamily

MAX_REPEAT = 100_000
_WIDE = 1 << 62


@dataclass(frozen=True, slots=True)
class Defaults:
    """The engine and the image where none is named; empty leaves it to the box."""

    engine: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options as they were typed. ``command`` is what stood behind ``--``.

    ``source`` is the script itself, for path ``-`` in place of standard input.
    """

    path: str | None = None
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    source: bytes | None = None
    lang: str | None = None
    image: str | None = None
    engine: str | None = None
    user: str | None = None
    network: str = "none"
    cpus: str | None = None
    memory: str | None = None
    timeout: str | None = None
    disk: str | None = None
    pids: str | None = None
    output_limit: str | None = None
    env: tuple[str, ...] = ()
    env_file: tuple[str, ...] = ()
    file: tuple[str, ...] = ()
    stdin: str | None = None
    artifact: tuple[str, ...] = ()
    score: str | None = None
    priority: str = "normal"
    retries: str | None = None
    at: str | None = None
    after: str | None = None
    repeat: str | None = None
    batch: str | None = None
    label: tuple[str, ...] = ()
    name: str | None = None
    idempotency_key: str | None = None
    agent: str | None = None
    agent_name: str | None = None
    submission: str | None = None
    task: tuple[str, ...] = ()
    secrets: str | None = None
    deadline: tuple[str, ...] = ()

    def prepare(
        self, defaults: Defaults, *, now: float, read_input: ReadInput = no_input
    ) -> Prepared | PreparedFamily:
        """Reads and checks everything. Raises ``InvalidInput`` and ``FileMissing``."""
        if (place := self._place()) is not None:
            return self._attempts(place, defaults, now=now)
        task = self._task(read_input)
        spec = replace(
            self._spec(defaults.engine, now),
            name=task.name if self.name is None else self.name,
            kind=task.kind,
            command=task.command,
            image=self._image(defaults.image),
            score=self._score(),
            limits=self.limits(),
        )
        if self.user is not None:
            spec = replace(spec, user=values.plain_text(self.user, field="user"))
        check_spec(replace(spec, image=spec.image or "default", engine=spec.engine or "default"))
        files = self._files(task)
        return Prepared(spec, files, self._standard_input(read_input), self._repeat())

    def _spec(self, engine: str, now: float) -> EvaluationSpec:
        """What is said of an evaluation whatever is run."""
        return EvaluationSpec(
            name="" if self.name is None else values.plain_text(self.name, field="name"),
            command=(),
            image="",
            engine=self._engine(engine),
            env=environment(self.env, self.env_file),
            artifacts=tuple(kept_path(path) for path in self.artifact),
            network=values.network(self.network),
            priority=values.priority(self.priority),
            retry=self._retry(),
            not_before=values.start_time(self.at, self.after, now=now),
            batch=_text(self.batch, "batch"),
            labels=values.labels(self.label),
            idempotency_key=_text(self.idempotency_key, "idempotency-key"),
        )

    def _place(self) -> Place | None:
        """The family that the path means. Raises ``InvalidInput`` where only one can be meant."""
        asked = [name for name in FAMILY_OPTIONS if getattr(self, name) not in (None, ())]
        named = self.path not in (None, "-") and self.lang is None
        place = find(Path(str(self.path)), certain=bool(asked)) if named else None
        if place is None and asked:
            if named:
                raise _no_family(Path(str(self.path)))
            flag = asked[0].replace("_", "-")
            raise InvalidInput(f"--{flag} is for a family of tasks", field=asked[0])
        return place

    def _attempts(self, place: Place, defaults: Defaults, *, now: float) -> PreparedFamily:
        # What reads families is worth its time only where there is one.
        from evalbox.requests.families import Wishes, wished

        for name in _NOT_FOR_FAMILIES:
            if getattr(self, name) not in (None, ()):
                raise InvalidInput(
                    f"{_said(name)} is not for a family of tasks, which decides that itself",
                    hint="an agent is said with --agent"
                    if name in ("command", "arguments")
                    else "",
                    field=name,
                )
        limits = self._given_limits()
        Limits(**limits)
        network = values.network(self.network)
        return wished(
            place,
            Wishes(**{name: getattr(self, name) for name in FAMILY_OPTIONS}),
            replace(self._spec(defaults.engine, now), image=self._image("")),
            limits=limits,
            network=None if network is Network.NONE else network,
            files=collect(self.file),
            repeat=self._repeat(),
        )

    def limits(self) -> Limits:
        """Raises ``InvalidInput`` that names the limit."""
        return Limits(**self._given_limits())

    def _given_limits(self) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for option, (name, read) in _LIMITS.items():
            if (text := getattr(self, option)) is not None:
                given[name] = read(text)
        return given

    def _retry(self) -> RetryPolicy:
        text = _first(self.retries, "0")
        return RetryPolicy(values.whole(text, field="retries", low=0, high=MAX_RETRIES))

    def _repeat(self) -> int:
        return values.whole(_first(self.repeat, "1"), field="repeat", low=1, high=MAX_REPEAT)

    def _score(self) -> str | None:
        return None if self.score is None else kept_path(self.score, field="--score")

    def _files(self, task: Task) -> tuple[TaskFile, ...]:
        sent = collect(self.file)
        taken = {file.path for file in task.files} & {file.path for file in sent}
        if taken:
            raise InvalidInput(
                f"--file: {min(taken)} in the sandbox is the script itself", field="file"
            )
        return (*task.files, *sent)

    def _task(self, read_input: ReadInput) -> Task:
        if self.path is None:
            if self.lang is not None:
                raise InvalidInput("--lang is for a script, and none was named", field="lang")
            return command_task(self.command)
        arguments = (*self.arguments, *self.command)
        if self.path == "-":
            source = self.source
            if source is None:
                source = from_pipe(read_input, MAX_SCRIPT)
            return script(
                source,
                origin="standard input",
                name="stdin",
                arguments=arguments,
                language=self.lang,
            )
        try:
            return read_task(Path(self.path), arguments, language=self.lang)
        except FileMissing as error:
            meant = near(Path(self.path))
            command = f"check the path; a command goes after --, as in: evalbox run -- {self.path}"
            raise FileMissing(error.message, hint=meant or command) from None

    def _image(self, default: str) -> str:
        if self.image is None and not default:
            return ""
        return values.plain_text(_first(self.image, default), field="image")

    def _engine(self, default: str) -> str:
        if self.engine is None and not default:
            return ""
        if self.engine is None and default == "process":
            raise InvalidInput(
                "engine process confines nothing, so it is never the default",
                hint="ask for it with --engine process, or set another engine",
                field="engine",
            )
        return engine_name(_first(self.engine, default), flag=True)

    def _standard_input(self, read_input: ReadInput) -> TaskFile | None:
        if self.stdin is None:
            return None
        if self.stdin != "-":
            return TaskFile(STDIN, file_or_pipe(Path(self.stdin)))
        if self.path == "-":
            raise InvalidInput(
                "standard input cannot be both the script and its input",
                hint="put one of them into a file",
                field="stdin",
            )
        return TaskFile(STDIN, from_pipe(read_input, MAX_PIPE))


#: The limit that each option is, and how its value is read.
_LIMITS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "cpus": ("cpus", partial(values.number, field="cpus")),
    "memory": ("memory", partial(parse_size, field="--memory")),
    "timeout": ("timeout", partial(parse_duration, field="--timeout")),
    "disk": ("disk", partial(parse_size, field="--disk")),
    "pids": ("pids", partial(values.whole, field="pids", low=-_WIDE, high=_WIDE)),
    "output_limit": ("output", partial(parse_size, field="--output-limit")),
}


#: The options of families, and those that others have alone.
FAMILY_OPTIONS = ("agent", "agent_name", "submission", "task", "secrets", "deadline")
_NOT_FOR_FAMILIES = ("arguments", "command", "user", "stdin", "score")


def _no_family(path: Path) -> EvalboxError:
    if path.exists():
        return no_family(path)
    return FileMissing(f"{path}: no such task or family", hint=near(path) or "check the path")


def _said(option: str) -> str:
    """As it stands on a command line."""
    words = {"arguments": "an argument", "command": "a command behind --"}
    return words.get(option, f"--{option}")


def _text(given: str | None, field: str) -> str | None:
    return None if given is None else values.plain_text(given, field=field)


def _first(given: str | None, default: str) -> str:
    """What was given, even where that is nothing and so a mistake to be told."""
    return default if given is None else given
