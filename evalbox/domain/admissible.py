"""What may be asked for: the rules that hold for an evaluation whichever way it is submitted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalbox.domain.building import CAPABILITIES, LONGEST, ImageBuild
from evalbox.domain.evaluation import EvaluationSpec, InputFile
from evalbox.domain.limits import MIB
from evalbox.domain.paths import destination
from evalbox.domain.text import check_name, check_variable, plain_text
from evalbox.errors import InvalidInput

#: What a kernel takes as one argument, in bytes, and what evalbox takes as a whole command line.
MAX_WORD, MAX_COMMAND = 131_071, 1 * MIB
MAX_ENVIRONMENT = 1 * MIB
MAX_AT_ONCE = 100_000
MAX_INPUTS, MAX_ARTIFACTS, MAX_LABELS, MAX_VARIABLES = 10_000, 1_000, 64, 1_000


def check_specs(specs: Sequence[EvaluationSpec]) -> None:
    """Raises ``InvalidInput`` that names the field."""
    if not specs:
        raise InvalidInput("there is nothing to submit", field="evaluations")
    at_most(len(specs), MAX_AT_ONCE, "evaluations")
    # Copies of one specification, as --repeat makes them, are looked at once.
    for spec in {id(spec): spec for spec in specs}.values():
        check_spec(spec)


def check_spec(spec: EvaluationSpec) -> None:
    """Raises ``InvalidInput`` that names the field."""
    check_name(spec.name, field="name")
    for field in ("kind", "image", "engine", "user"):
        plain_text(getattr(spec, field), field=field)
    for field in ("batch", "idempotency_key"):
        if (value := getattr(spec, field)) is not None:
            plain_text(value, field=field)
    check_command(spec.command)
    destination(spec.workdir, field="workdir")
    if not spec.workdir.startswith("/"):
        raise InvalidInput(f"workdir: {spec.workdir!r} is not an absolute path", field="workdir")
    _check_inputs(spec.inputs)
    _check_capabilities(spec)
    if spec.build is not None:
        check_build(spec.build)
    at_most(len(spec.artifacts), MAX_ARTIFACTS, "artifacts")
    for path in spec.artifacts:
        destination(path, field="artifacts")
    if spec.score is not None:
        destination(spec.score, field="score")
    at_most(len(spec.env), MAX_VARIABLES, "env")
    for name, value in spec.env.items():
        check_variable(name, value)
    if sum(map(_size, spec.env.values())) > MAX_ENVIRONMENT:
        raise InvalidInput("env: the values are over 1 MiB together", field="env")
    at_most(len(spec.labels), MAX_LABELS, "labels")
    for key, value in spec.labels.items():
        plain_text(key, field="labels")
        if value:
            plain_text(value, field="labels")


def check_command(command: Sequence[str]) -> None:
    """Refuses what no system takes. Raises ``InvalidInput``."""
    if not command or not command[0]:
        raise InvalidInput("command: is empty", field="command")
    sizes = [_size(word) for word in command]
    if max(sizes) > MAX_WORD or sum(sizes) > MAX_COMMAND:
        raise InvalidInput(
            "command: is longer than a system takes", hint="put it into a file", field="command"
        )
    if any("\0" in word for word in command):
        raise InvalidInput("command: has a NUL character in it", field="command")


def check_build(build: ImageBuild) -> None:
    """Raises ``InvalidInput`` that names the field."""
    _check_inputs(build.files)
    check_command(build.command)
    if build.description and destination(build.description, field="build") != build.description:
        raise InvalidInput(f"build: {build.description!r} is not an absolute path", field="build")
    if not 0 < build.timeout <= LONGEST:
        raise InvalidInput(
            f"build: a timeout of {build.timeout:g} s", hint=f"up to {LONGEST:g} s", field="build"
        )


def _check_capabilities(spec: EvaluationSpec) -> None:
    unknown = sorted(set(spec.capabilities) - CAPABILITIES)
    if unknown:
        raise InvalidInput(
            f"capabilities: {unknown[0]!r} cannot be given",
            hint=f"those that can: {', '.join(sorted(CAPABILITIES))}",
            field="capabilities",
        )
    at_most(len(spec.capabilities), len(CAPABILITIES), "capabilities")
    if spec.capabilities and spec.user.partition(":")[0] not in ("0", "root"):
        raise InvalidInput(
            "capabilities: only root can have them", hint="with user 0:0", field="capabilities"
        )


def _check_inputs(inputs: Sequence[InputFile]) -> None:
    at_most(len(inputs), MAX_INPUTS, "inputs")
    for path in _twice(file.path for file in inputs):
        raise InvalidInput(f"inputs: two files for {path}", field="inputs")
    for file in inputs:
        if destination(file.path, field="inputs") != file.path:
            raise InvalidInput(f"inputs: {file.path!r} is not an absolute path", field="inputs")
        if not 0 <= file.mode <= 0o777:
            raise InvalidInput(f"inputs: {file.mode:o} is not a mode", field="inputs")


def _twice(paths: Iterable[str]) -> Iterable[str]:
    seen: set[str] = set()
    for path in paths:
        if path in seen:
            yield path
        seen.add(path)


def at_most(count: int, most: int, field: str) -> None:
    """Raises ``InvalidInput``."""
    if count > most:
        raise InvalidInput(f"{field}: {count} are too many", hint=f"at most {most}", field=field)


def _size(text: str) -> int:
    return len(text.encode(errors="surrogateescape"))
