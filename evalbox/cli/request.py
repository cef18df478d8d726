"""What ``run`` and ``submit`` were asked for, and the evaluations that this makes.

Everything is read and checked before anything is stored, so that a request that is refused leaves
nothing behind.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from evalbox.cli import options
from evalbox.cli.environment import environment
from evalbox.cli.when import start_time
from evalbox.config.settings import Settings
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Network, Priority
from evalbox.domain.limits import GIB, MIB, Limits
from evalbox.domain.quantity import format_size, parse_duration, parse_size
from evalbox.domain.retry import MAX_RETRIES, RetryPolicy
from evalbox.errors import FileMissing, InvalidInput
from evalbox.tasks.base import Task, TaskFile, Upload, check_readable, read_bytes, unreadable
from evalbox.tasks.inputs import collect, kept_path
from evalbox.tasks.registry import read_task
from evalbox.tasks.script import MAX_SCRIPT, script

MAX_REPEAT = 100_000
MAX_STDIN = 1 * GIB
#: What comes from a pipe is held in memory.
_MAX_PIPE = 256 * MIB
_STDIN = "/stdin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options as they were typed. ``command`` is what stood behind ``--``."""

    path: str | None = None
    arguments: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
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
    priority: str = "normal"
    retries: str | None = None
    at: str | None = None
    after: str | None = None
    repeat: str | None = None
    batch: str | None = None
    label: tuple[str, ...] = ()
    name: str | None = None
    idempotency_key: str | None = None

    def prepare(self, settings: Settings, *, now: float) -> Prepared:
        """Reads and checks everything. Raises ``InvalidInput`` and ``FileMissing``."""
        task = self._task()
        files = (*task.files, *collect(self.file))
        doubled = {file.path for file in task.files} & {
            file.path for file in files[len(task.files) :]
        }
        if doubled:
            raise InvalidInput(
                f"--file: {min(doubled)} in the sandbox is the script itself", field="file"
            )
        spec = EvaluationSpec(
            name=options.plain_text(self.name, field="name")
            if self.name is not None
            else task.name,
            kind=task.kind,
            command=task.command,
            image=self._image(settings),
            engine=self._engine(settings),
            env=environment(self.env, self.env_file),
            artifacts=tuple(kept_path(path) for path in self.artifact),
            network=Network(self.network),
            limits=self.limits(),
            priority=Priority[self.priority.upper()],
            retry=RetryPolicy(
                retries=options.whole(
                    _first(self.retries, "0"), field="retries", low=0, high=MAX_RETRIES
                )
            ),
            not_before=start_time(self.at, self.after, now=now),
            batch=options.plain_text(self.batch, field="batch") if self.batch is not None else None,
            labels=options.labels(self.label),
            idempotency_key=self._key(),
        )
        if self.user is not None:
            spec = replace(spec, user=options.plain_text(self.user, field="user"))
        repeat = options.whole(_first(self.repeat, "1"), field="repeat", low=1, high=MAX_REPEAT)
        return Prepared(spec, self._files(task), self._standard_input(), repeat)

    def _retry(self) -> RetryPolicy:
        text = _first(self.retries, "0")
        return RetryPolicy(options.whole(text, field="retries", low=0, high=MAX_RETRIES))

    def _files(self, task: Task) -> tuple[TaskFile, ...]:
        sent = collect(self.file)
        taken = {file.path for file in task.files} & {file.path for file in sent}
        if taken:
            raise InvalidInput(f"--file: {min(taken)} in the sandbox is the script", field="file")
        return (*task.files, *sent)

    def limits(self) -> Limits:
        """Raises ``InvalidInput`` that names the limit."""
        wide = 1 << 62
        readers: tuple[tuple[str, str | None, Callable[[str], Any]], ...] = (
            ("cpus", self.cpus, partial(options.number, field="cpus")),
            ("memory", self.memory, partial(parse_size, field="--memory")),
            ("timeout", self.timeout, partial(parse_duration, field="--timeout")),
            ("disk", self.disk, partial(parse_size, field="--disk")),
            ("pids", self.pids, partial(options.whole, field="pids", low=-wide, high=wide)),
            ("output", self.output_limit, partial(parse_size, field="--output-limit")),
        )
        given = {name: read(text) for name, text, read in readers if text is not None}
        return Limits(**given)

    def _task(self) -> Task:
        if self.path is None:
            if self.lang is not None:
                raise InvalidInput("--lang is for a script, and none was named", field="lang")
            return Task(name=self.command[0][:80], kind="command", command=self.command)
        arguments = (*self.arguments, *self.command)
        if self.path == "-":
            return self._script(_read_terminal_or_pipe(MAX_SCRIPT), "standard input", arguments)
        try:
            if self.lang is None:
                return read_task(Path(self.path), arguments)
            source = read_bytes(Path(self.path), limit=MAX_SCRIPT)
        except FileMissing as error:
            raise FileMissing(
                error.message,
                hint=f"check the path; a command goes after --, as in: evalbox run -- {self.path}",
            ) from None
        return self._script(source, self.path, arguments)

    def _script(self, source: bytes, origin: str, arguments: Sequence[str]) -> Task:
        name = "stdin" if self.path == "-" else Path(origin).name
        return script(source, origin=origin, name=name, arguments=arguments, language=self.lang)

    def _image(self, settings: Settings) -> str:
        if self.image is None and settings.url:
            return ""
        return options.plain_text(_first(self.image, settings.image), field="image")

    def _engine(self, settings: Settings) -> str:
        if self.engine is None and settings.url:
            # A box elsewhere has defaults of its own.
            return ""
        if self.engine is None and settings.engine == "process":
            raise InvalidInput(
                "engine process confines nothing, so it is never the default",
                hint="ask for it with --engine process, or set another engine",
                field="engine",
            )
        return options.engine_name(_first(self.engine, settings.engine))

    def _key(self) -> str | None:
        if self.idempotency_key is None:
            return None
        return options.plain_text(self.idempotency_key, field="idempotency-key")

    def _standard_input(self) -> Path | bytes | None:
        if self.stdin is None:
            return None
        if self.stdin != "-":
            return _file_or_pipe(Path(self.stdin))
        if self.path == "-":
            raise InvalidInput(
                "standard input cannot be both the script and its input",
                hint="put one of them into a file",
                field="stdin",
            )
        return _read_terminal_or_pipe(_MAX_PIPE)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request in which nothing can be refused any more but by the box."""

    spec: EvaluationSpec
    files: tuple[TaskFile, ...]
    stdin: Path | bytes | None
    repeat: int

    async def specs(self, upload: Upload) -> list[EvaluationSpec]:
        """Stores the files; gives one specification for each evaluation."""
        inputs = tuple([await file.upload(upload) for file in self.files])
        stdin: InputFile | None = None
        if self.stdin is not None:
            blob, size = await upload(self.stdin)
            stdin = InputFile(path=_STDIN, blob=blob, size=size)
        spec = replace(self.spec, inputs=inputs, stdin=stdin)
        if self.repeat == 1 or spec.idempotency_key is None:
            return [spec] * self.repeat
        return [
            replace(spec, idempotency_key=f"{spec.idempotency_key}/{number}")
            for number in range(1, self.repeat + 1)
        ]


def _file_or_pipe(path: Path) -> Path | bytes:
    try:
        check_readable(path)
        if not path.is_file():
            return read_bytes(path, limit=_MAX_PIPE)
        if path.stat().st_size > MAX_STDIN:
            raise InvalidInput(f"--stdin: {path}: is over {format_size(MAX_STDIN)}")
    except OSError as error:
        raise unreadable(path, error) from error
    return path


def _first(given: str | None, default: str) -> str:
    """What was given, even where that is nothing and so a mistake to be told."""
    return default if given is None else given


def _read_terminal_or_pipe(limit: int) -> bytes:
    content = sys.stdin.buffer.read(limit + 1)
    if len(content) > limit:
        raise InvalidInput(
            f"standard input: is longer than {format_size(limit)}", hint="put it into a file"
        )
    return content
