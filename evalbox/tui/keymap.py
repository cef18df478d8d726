"""Keys of the user's own: a file beside the configuration.

A line gives a binding, by its id, the keys that it has from then on::

    "evaluation.cancel" = "x,ctrl+k"

    [list]
    filter = "f"
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalbox.errors import ConfigError

NAME = "keymap.toml"


def read(file: Path) -> dict[str, str]:
    """Keys by the ids of bindings; nothing where there is no such file. Raises ``ConfigError``."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{file}: {(error.strerror or str(error)).lower()}") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8") from None
    try:
        return dict(_flat(tomllib.loads(text), file))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file}: {error}", hint='lines are as in: "list.filter" = "f"') from None


def _flat(table: Mapping[str, Any], file: Path, above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        place = f"{above}{name}"
        if isinstance(value, dict):
            yield from _flat(value, file, f"{place}.")
        else:
            yield place, _keys(value, place, file)


def _keys(value: object, place: str, file: Path) -> str:
    parts = value.split(",") if isinstance(value, str) else []
    keys = [part.strip() for part in parts]
    if not keys or not all(keys) or any(" " in key or not key.isprintable() for key in keys):
        raise ConfigError(
            f"{file}: {place}: {value!r} is no key",
            hint="keys are as in: x, X, f5, ctrl+k, question_mark; several are parted by commas",
        )
    return ",".join(keys)
