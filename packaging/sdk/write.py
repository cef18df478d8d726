"""Writes what ``Box``, ``Handle`` and ``Sandbox`` have of ``AsyncBox`` and the rest: each method.

python packaging/sdk/write.py     after a change of evalbox/sdk/async_*.py

What stands above the marker of a module is written by hand: its imports, too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

SDK = Path(__file__).resolve().parents[2] / "evalbox" / "sdk"
#: Modules, each the mirror of ``async_`` and its name.
MODULES = ("box", "handle", "sandbox")
MARKER = "    # What follows is written by packaging/sdk/write.py, out of {source}.\n"

#: What an asynchronous program has, and what one without asyncio has in its place.
_NAMES = {
    "AsyncHandle": "Handle",
    "AsyncIterator": "Iterator",
    "AsyncSandbox": "Sandbox",
    "SandboxExec": "Program",
}
#: What is given with its own way to the loop.
_WRAPPED = ("Handle", "Program", "Sandbox")
Method = ast.AsyncFunctionDef | ast.FunctionDef


def text(module: str) -> str:
    """The module as it is to be, before it is formatted."""
    marker = MARKER.format(source=f"async_{module}.py")
    head, found, _ = (SDK / f"{module}.py").read_text().partition(marker)
    if not found:
        sys.exit(f"evalbox/sdk/{module}.py has no line: {marker.strip()}")
    source = (SDK / f"async_{module}.py").read_text()
    name = f"Async{module.capitalize()}"
    made = [_mirror(one, source, module) for one in _methods(source, name)]
    return head + marker + "".join(f"\n{one}\n" for one in made)


def _methods(source: str, name: str) -> Iterator[Method]:
    for kind in ast.parse(source).body:
        if isinstance(kind, ast.ClassDef) and kind.name == name:
            for one in kind.body:
                if isinstance(one, Method) and _is_mirrored(one):
                    yield one


def _is_mirrored(method: Method) -> bool:
    return not method.name.startswith("_") and "property" not in _decorators(method)


def _mirror(method: Method, source: str, module: str) -> str:
    """Its signature and what it says of itself, and a body that has the loop do it."""
    signature = source.split("\n")[method.lineno - 1 : method.body[0].lineno - 1]
    written = textwrap.dedent("\n".join(signature)).removeprefix("async ")
    returns = _renamed(ast.unparse(method.returns or ast.Constant(None)))
    lines = [*_renamed(written).split("\n"), *_docstring(method)]
    # An iterable of the caller's is read in the caller's thread, where it may use the box.
    lines += [f"    {one} = list({one})" for one in _iterables(method)]
    asked = f"self._{module}.{method.name}({_passed(method.args)})"
    if "asynccontextmanager" in _decorators(method):
        lines.insert(0, "@contextmanager")
        lines += [f"    with self._thread.entered({asked}) as made:"]
        lines += [f"        yield {_wrapped('made', _inner(returns))}"]
    elif returns.startswith("Iterator["):
        lines += [f"    return self._thread.iterate(lambda: {asked})"]
    else:
        done = f"self._thread.call({asked})"
        lines += [f"    {done}" if returns == "None" else f"    return {_wrapped(done, returns)}"]
    return "\n".join(f"    {line}" if line else "" for line in lines)


def _docstring(method: Method) -> list[str]:
    words = _renamed(ast.get_docstring(method) or "").split("\n")
    if len(words) == 1:
        return [f'    """{words[0]}"""']
    first, *others = words
    return [f'    """{first}', *(f"    {line}" if line else "" for line in others), '    """']


def _wrapped(value: str, kind: str) -> str:
    if kind in _WRAPPED:
        return f"{kind}({value}, self._thread)"
    if kind.startswith("Sequence[") and _inner(kind) in _WRAPPED:
        return f"[{_inner(kind)}(one, self._thread) for one in {value}]"
    return value


def _inner(kind: str) -> str:
    return kind.partition("[")[2].removesuffix("]")


def _passed(takes: ast.arguments) -> str:
    """The arguments of a method handed on, each as it was given."""
    given = [one.arg for one in takes.args[1:]]
    given += [f"{one.arg}={one.arg}" for one in takes.kwonlyargs]
    given += [f"**{takes.kwarg.arg}"] if takes.kwarg else []
    return ", ".join(given)


def _iterables(method: Method) -> list[str]:
    return [
        one.arg
        for one in method.args.args[1:]
        if one.annotation and ast.unparse(one.annotation).startswith("Iterable[")
    ]


def _decorators(method: Method) -> set[str]:
    return {ast.unparse(one) for one in method.decorator_list}


def _renamed(words: str) -> str:
    return re.sub(r"\w+", lambda word: _NAMES.get(word[0], word[0]), words)


def main() -> None:
    for module in MODULES:
        (SDK / f"{module}.py").write_text(text(module))
    paths = [str(SDK / f"{module}.py") for module in MODULES]
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *paths], check=True)


if __name__ == "__main__":
    main()
