"""A file of secrets, as tools for the METR Task Standard read it: ``NAME=VALUE`` lines.

A line may begin with ``export``; a value may stand in quotes, over several lines too; what comes
behind a ``#`` is left out. In double quotes, backslash and ``n`` are a line feed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from evalbox.domain.limits import MIB
from evalbox.domain.text import check_variable
from evalbox.errors import InvalidInput
from evalbox.tasks.base import read_bytes

_MAX_FILE = 1 * MIB
_NOTHING = re.compile(r"[ \t]*(#[^\n]*)?(\n|\Z)")
_ENTRY = re.compile(
    r"""[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*
    (?:'(?P<single>(?:\\'|[^'])*)'|"(?P<double>(?:\\.|[^"\\])*)"|`(?P<back>[^`]*)`|(?P<plain>(?!['"`])[^\n#]*))
    [ \t]*(?:\#[^\n]*)?(?:\n|\Z)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "r": "\r"}


def read_secrets(path: Path) -> dict[str, str]:
    """Of the same name, the last counts. Raises ``InvalidInput``, which tells no value."""
    try:
        text = read_bytes(path, limit=_MAX_FILE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput(f"{path}: is not UTF-8 text", field="secrets") from None
    return parse_secrets(text.replace("\r\n", "\n"), str(path))


def parse_secrets(text: str, origin: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        if nothing := _NOTHING.match(text, at):
            at = nothing.end()
            continue
        entry = _ENTRY.match(text, at)
        if entry is None:
            line = text.count("\n", 0, at) + 1
            raise InvalidInput(
                f"{origin}, line {line}: is not NAME=VALUE",
                hint="a value with # or quotes in it goes in quotes",
                field="secrets",
            )
        found[entry["name"]] = _value(entry)
        check_variable(entry["name"], found[entry["name"]])
        at = entry.end()
    return found


def required(
    names: Iterable[str], secrets: Mapping[str, str], caller: Mapping[str, str], *, family: str
) -> dict[str, str]:
    """Exactly those, of the secrets or else of the caller's environment.

    Raises ``InvalidInput`` that names all that are missing.
    """
    names = tuple(names)
    missing = [name for name in names if name not in secrets and name not in caller]
    if missing:
        raise InvalidInput(
            f"family {family} needs variables that are not set: {', '.join(missing)}",
            hint="put them into a file of NAME=VALUE lines for --secrets, or export them",
            field="secrets",
        )
    return {name: secrets[name] if name in secrets else caller[name] for name in names}


def _value(entry: re.Match[str]) -> str:
    if (text := entry["double"]) is not None:
        return re.sub(r"\\(.)", _escape, text, flags=re.DOTALL)
    for quoted in (entry["single"], entry["back"]):
        if quoted is not None:
            return quoted
    return str(entry["plain"]).strip()


def _escape(found: re.Match[str]) -> str:
    character = found[1]
    return _ESCAPES.get(character, character if character in '"\\$' else f"\\{character}")
