"""A family as it lies on the host. Its code is never run here."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Any

from evalbox.domain.limits import MIB
from evalbox.tasks.base import read_bytes
from evalbox.tasks.standard import bundle, manifest, steps
from evalbox.tasks.standard.bundle import Bundle
from evalbox.tasks.standard.format import Place
from evalbox.tasks.standard.manifest import Manifest

_REQUIRED = "required_environment_variables"


@dataclass(frozen=True, slots=True)
class Family:
    """``variables`` are those that it says in so many words to require, for its ``install``."""

    name: str
    bundle: Bundle
    manifest: Manifest
    steps: tuple[dict[str, Any], ...]
    variables: tuple[str, ...] = ()


def read(place: Place) -> Family:
    """Raises ``InvalidInput`` and ``FileMissing``; looks at all that is in the directory."""
    found = bundle.scan(place.directory)
    files = {entry.name for entry in found.entries}

    def content(name: str) -> bytes:
        return read_bytes(place.directory / name, limit=MIB)

    def origin(name: str) -> str:
        return str(place.directory / name)

    told, built = manifest.NAME, steps.NAME
    return Family(
        name=place.family,
        bundle=found,
        manifest=(
            manifest.read_manifest(content(told), origin(told)) if told in files else Manifest()
        ),
        steps=steps.read_steps(content(built), origin(built)) if built in files else (),
        variables=declared(content(f"{place.family}.py")),
    )


def declared(source: bytes) -> tuple[str, ...]:
    """The names in ``required_environment_variables``, where those are written out; else none.

    What Python itself cannot read is for the driver to tell.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ()
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        if name == _REQUIRED and isinstance(value, ast.List | ast.Tuple):
            return tuple(
                item.value
                for item in value.elts
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )
    return ()
