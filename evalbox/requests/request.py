"""What was asked for in words, and the evaluations that this makes.

Everything is read and checked before anything is stored, so that a request that is refused leaves
nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evalbox.domain.admissible import check_spec
from evalbox.domain.engine import engine_name
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.limits import GIB, MIB, Limits
from evalbox.domain.paths import STDIN
from evalbox.domain.quantity import format_size, parse_duration, parse_size
from evalbox.domain.retry import MAX_RETRIES, RetryPolicy
from evalbox.errors import EvalboxError, FileMissing, InvalidInput
from evalbox.requests import values
from evalbox.requests.environment import environment
from evalbox.requests.prepared import Prepared
from evalbox.tasks.base import (
    Task,
    TaskFile,
    check_readable,
    command_task,
    read_bytes,
    unreadable,
)
from evalbox.tasks.inputs import collect, kept_path
from evalbox.tasks.registry import read_task
from evalbox.tasks.script import MAX_SCRIPT, script

MAX_REPEAT = 100_000
MAX_STDIN = 1 * GIB
#: What comes from a pipe is held in memory.
_MAX_PIPE = 256 * MIB
_WIDE = 1 << 62

#: Gives at most so many bytes of standard input.
ReadInput = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Defaults:
    """The engine and the image where none is named; empty leaves it to the box."""

    engine: str = ""
    image: str = ""


def no_input(_most: int) -> bytes:
    """For who has no standard input to read."""
    raise InvalidInput("there is no standard input here", hint="name a file", field="stdin")


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

    def prepare(
        self, defaults: Defaults, *, now: float, read_input: ReadInput = no_input
    ) -> Prepared:
        """Reads and checks everything. Raises ``InvalidInput`` and ``FileMissing``."""
        task = self._task(read_input)
        spec = EvaluationSpec(
            name=task.name if self.name is None else values.plain_text(self.name, field="name"),
            kind=task.kind,
            command=task.command,
            image=self._image(defaults),
            engine=self._engine(defaults),
            env=environment(self.env, self.env_file),
            artifacts=tuple(kept_path(path) for path in self.artifact),
            score=self._score(),
            network=values.network(self.network),
            limits=self.limits(),
            priority=values.priority(self.priority),
            retry=self._retry(),
            not_before=values.start_time(self.at, self.after, now=now),
            batch=_text(self.batch, "batch"),
            labels=values.labels(self.label),
            idempotency_key=_text(self.idempotency_key, "idempotency-key"),
        )
        if self.user is not None:
            spec = replace(spec, user=values.plain_text(self.user, field="user"))
        check_spec(replace(spec, image=spec.image or "default", engine=spec.engine or "default"))
        files = self._files(task)
        return Prepared(spec, files, self._standard_input(read_input), self._repeat())

    def problems(self, defaults: Defaults, *, now: float) -> Mapping[str, EvalboxError]:
        """What is wrong, by the name of the option; each is looked at by itself.

        Reads the files that are named, so that it is to be called beside an event loop.
        """
        found: dict[str, EvalboxError] = {}
        for name, check in _CHECKS.items():
            try:
                check(self, defaults, now)
            except EvalboxError as error:
                found[name] = error
        if not found:
            try:
                self.prepare(defaults, now=now)
            except EvalboxError as error:
                field = getattr(error, "field", "")
                found[_OPTION_OF.get(field, field)] = error
        return found

    def limits(self) -> Limits:
        """Raises ``InvalidInput`` that names the limit."""
        return Limits(**{name: value for each in _LIMITS for name, value in self._limit(each)})

    def _limit(self, option: str) -> tuple[tuple[str, Any], ...]:
        """The limit of that option and its value, where it is given."""
        name, read = _LIMITS[option]
        text = getattr(self, option)
        return () if text is None else ((name, read(text)),)

    def _check_limit(self, option: str) -> None:
        Limits(**dict(self._limit(option)))

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
                source = _from_pipe(read_input, MAX_SCRIPT)
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
            raise FileMissing(
                error.message,
                hint=f"check the path; a command goes after --, as in: evalbox run -- {self.path}",
            ) from None

    def _image(self, defaults: Defaults) -> str:
        if self.image is None and not defaults.image:
            return ""
        return values.plain_text(_first(self.image, defaults.image), field="image")

    def _engine(self, defaults: Defaults) -> str:
        if self.engine is None and not defaults.engine:
            return ""
        if self.engine is None and defaults.engine == "process":
            raise InvalidInput(
                "engine process confines nothing, so it is never the default",
                hint="ask for it with --engine process, or set another engine",
                field="engine",
            )
        return engine_name(_first(self.engine, defaults.engine), flag=True)

    def _standard_input(self, read_input: ReadInput) -> TaskFile | None:
        if self.stdin is None:
            return None
        if self.stdin != "-":
            return TaskFile(STDIN, _file_or_pipe(Path(self.stdin)))
        if self.path == "-":
            raise InvalidInput(
                "standard input cannot be both the script and its input",
                hint="put one of them into a file",
                field="stdin",
            )
        return TaskFile(STDIN, _from_pipe(read_input, _MAX_PIPE))


#: The limit that each option is, and how its value is read.
_LIMITS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "cpus": ("cpus", partial(values.number, field="cpus")),
    "memory": ("memory", partial(parse_size, field="--memory")),
    "timeout": ("timeout", partial(parse_duration, field="--timeout")),
    "disk": ("disk", partial(parse_size, field="--disk")),
    "pids": ("pids", partial(values.whole, field="pids", low=-_WIDE, high=_WIDE)),
    "output_limit": ("output", partial(parse_size, field="--output-limit")),
}

_Check = Callable[[Request, Defaults, float], object]


def _limit_check(option: str) -> _Check:
    return lambda asked, _, __: asked._check_limit(option)


_CHECKS: dict[str, _Check] = {
    "path": lambda asked, _, __: asked._task(no_input),
    "name": lambda asked, _, __: _text(asked.name, "name"),
    "image": lambda asked, defaults, _: asked._image(defaults),
    "engine": lambda asked, defaults, _: asked._engine(defaults),
    "user": lambda asked, _, __: _text(asked.user, "user"),
    "network": lambda asked, _, __: values.network(asked.network),
    **{option: _limit_check(option) for option in _LIMITS},
    "env": lambda asked, _, __: environment(asked.env, ()),
    "env_file": lambda asked, _, __: environment((), asked.env_file),
    "file": lambda asked, _, __: collect(asked.file),
    "stdin": lambda asked, _, __: asked._standard_input(no_input),
    "artifact": lambda asked, _, __: [kept_path(path) for path in asked.artifact],
    "score": lambda asked, _, __: asked._score(),
    "priority": lambda asked, _, __: values.priority(asked.priority),
    "retries": lambda asked, _, __: asked._retry(),
    "at": lambda asked, _, now: values.start_time(asked.at, None, now=now),
    "after": lambda asked, _, now: values.start_time(None, asked.after, now=now),
    "repeat": lambda asked, _, __: asked._repeat(),
    "batch": lambda asked, _, __: _text(asked.batch, "batch"),
    "label": lambda asked, _, __: values.labels(asked.label),
    "idempotency_key": lambda asked, _, __: _text(asked.idempotency_key, "idempotency-key"),
}
#: Where the field of a specification is called otherwise than the option.
_OPTION_OF = {
    "": "path", "command": "path", "language": "path", "lang": "path", "inputs": "file",
    "artifacts": "artifact", "labels": "label", "output": "output_limit",
    "idempotency-key": "idempotency_key",
}  # fmt: skip


def _text(given: str | None, field: str) -> str | None:
    return None if given is None else values.plain_text(given, field=field)


def _file_or_pipe(path: Path) -> Path | bytes:
    try:
        check_readable(path)
        if not path.is_file():
            return read_bytes(path, limit=_MAX_PIPE)
        if path.stat().st_size > MAX_STDIN:
            raise InvalidInput(f"--stdin: {path}: is over {format_size(MAX_STDIN)}", field="stdin")
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError:
        raise InvalidInput(f"--stdin: {str(path)!r} is no path", field="stdin") from None
    return path


def _first(given: str | None, default: str) -> str:
    """What was given, even where that is nothing and so a mistake to be told."""
    return default if given is None else given


def _from_pipe(read_input: ReadInput, limit: int) -> bytes:
    content = read_input(limit + 1)
    if len(content) > limit:
        raise InvalidInput(
            f"standard input: is longer than {format_size(limit)}", hint="put it into a file"
        )
    return content
