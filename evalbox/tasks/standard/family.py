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

_REQUIRED, _MACHINE = "required_environment_variables", "get_aux_vm_spec"


@dataclass(frozen=True, slots=True)
class Family:
    """``variables`` are those that it says in so many words to require, for its ``install``.

    ``machine``: so does it say that every task needs a virtual machine beside its sandbox.
    """

    name: str
    bundle: Bundle
    manifest: Manifest
    steps: tuple[dict[str, Any], ...]
    variables: tuple[str, ...] = ()
    machine: bool = False


def read(place: Place) -> Family:
    """Raises ``InvalidInput`` and ``FileMissing``; looks at all that is in the directory."""
    found = bundle.scan(place.directory)
    files = {entry.name for entry in found.entries}

    def content(name: str) -> bytes:
        return read_bytes(place.directory / name, limit=MIB)

    def origin(name: str) -> str:
        return str(place.directory / name)

    told, built = manifest.NAME, steps.NAME
    tree = parsed(content(f"{place.family}.py"))
    return Family(
        name=place.family,
        bundle=found,
        manifest=(
            manifest.read_manifest(content(told), origin(told)) if told in files else Manifest()
        ),
        steps=steps.read_steps(content(built), origin(built)) if built in files else (),
        variables=declared(tree),
        machine=wants_machine(tree),
    )


def parsed(source: bytes) -> ast.Module:
    """Empty where Python itself cannot read it, which is for the driver to tell."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ast.Module([], [])


def declared(tree: ast.Module) -> tuple[str, ...]:
    """The names in ``required_environment_variables``, where those are written out; else none."""
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


def wants_machine(tree: ast.Module) -> bool:
    """Whether ``get_aux_vm_spec`` has nothing to give but a specification that is written out.

    What is decided by the task, or elsewhere, is known only once it is asked in the image.
    """
    for kind in tree.body:
        if isinstance(kind, ast.ClassDef) and kind.name == "TaskFamily":
            for member in kind.body:
                if isinstance(member, ast.FunctionDef) and member.name == _MACHINE:
                    told = [one for one in member.body if not _is_text(one)]
                    return [_gives(one) for one in told] == [True]
    return False


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _gives(node: ast.stmt) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
