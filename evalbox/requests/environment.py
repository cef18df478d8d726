"""The environment of a job: ``--env K=V``, ``--env K`` and ``--env-file FILE``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from evalbox.domain.limits import MIB
from evalbox.errors import InvalidInput
from evalbox.tasks.base import read_bytes

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_FILE = 1 * MIB


def environment(
    given: Sequence[str], files: Sequence[str], *, caller: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The variables; of the same name, the later counts, and ``given`` over ``files``.

    Raises ``InvalidInput`` and ``FileMissing``.
    """
    variables: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(_lines(Path(file)), start=1):
            stripped = line.strip()
            if stripped and not stripped.startswith("#"):
                name, value = _pair(line.lstrip(), f"{file}, line {number}", caller)
                variables[name] = value
    for text in given:
        name, value = _pair(text, "--env", caller)
        variables[name] = value
    return variables


def _lines(path: Path) -> list[str]:
    try:
        return read_bytes(path, limit=_MAX_FILE).decode().splitlines()
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text", field="env-file") from None


def _pair(text: str, where: str, caller: Mapping[str, str]) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{where}: {name!r} is not the name of a variable",
            hint="write NAME=VALUE, or NAME to pass on your own",
            field="env",
        )
    if not equals:
        if name not in caller:
            raise InvalidInput(
                f"{where}: {name} is not set in your environment",
                hint=f"export it, or write {name}=VALUE",
                field="env",
            )
        value = caller[name]
    if "\0" in value:
        raise InvalidInput(f"{where}: {name} has a NUL character in it", field="env")
    return name, value
