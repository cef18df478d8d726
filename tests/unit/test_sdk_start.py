"""What ``import evalbox`` costs, and that the SDK's names are there and say what they are."""

from __future__ import annotations

import ast
import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import evalbox
from evalbox import sdk
from evalbox.sdk.async_box import AsyncBox
from evalbox.sdk.async_handle import AsyncHandle
from evalbox.sdk.async_sandbox import AsyncSandbox
from evalbox.sdk.box import Box
from evalbox.sdk.handle import Handle
from evalbox.sdk.sandbox import Sandbox

PACKAGE = Path(evalbox.__file__).parent
ROOT = Path(__file__).parents[2]
WRITER = runpy.run_path(str(ROOT / "packaging" / "sdk" / "write.py"))
#: What only some boxes need is loaded when it is.
HEAVY = ("fastapi", "uvicorn", "httpx", "docker", "aiosqlite", "pydantic", "cryptography")


def loaded(code: str) -> str:
    program = f"import sys; {code}; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stdout


def test_the_package_alone_loads_nothing() -> None:
    ours = [name for name in loaded("import evalbox").split() if name.startswith("evalbox")]
    assert ours == ["evalbox"]


def test_the_sdk_loads_only_what_every_box_needs() -> None:
    modules = loaded("from evalbox import Box, AsyncBox").split()
    assert not set(HEAVY) & set(modules)


def test_what_the_package_gives_is_what_its_stub_says() -> None:
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text())
    named = {
        alias.asname
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert named == set(evalbox._SDK)
    assert evalbox.Box is Box
    assert evalbox.AsyncBox is AsyncBox
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        evalbox.Nothing  # type: ignore[attr-defined]  # noqa: B018
    assert (PACKAGE / "py.typed").exists()


@pytest.mark.parametrize("name", sdk.__all__)
def test_every_name_says_what_it_is(name: str) -> None:
    assert inspect.getdoc(getattr(sdk, name))


@pytest.mark.parametrize(
    ("kind", "its_async"), [(Box, AsyncBox), (Handle, AsyncHandle), (Sandbox, AsyncSandbox)]
)
def test_both_kinds_can_do_the_same(kind: type, its_async: type) -> None:
    own = {"open", "close", "call"} if kind is Box else set()
    assert public(kind) - own == public(its_async) - {"service"}
    for name in public(kind) & public(its_async) & vars(its_async).keys():
        ours, theirs = getattr(kind, name), getattr(its_async, name)
        if callable(ours):
            assert list(inspect.signature(ours).parameters) == list(
                inspect.signature(theirs).parameters
            ), name


@pytest.mark.parametrize("module", WRITER["MODULES"])
def test_what_is_mirrored_is_what_would_be_written_now(module: str) -> None:
    committed = (ROOT / "evalbox" / "sdk" / f"{module}.py").read_text()
    assert ast.dump(ast.parse(committed)) == ast.dump(ast.parse(WRITER["text"](module))), (
        "run: python packaging/sdk/write.py"
    )


@pytest.mark.parametrize("kind", [Box, AsyncBox, Handle, AsyncHandle, Sandbox, AsyncSandbox])
def test_every_method_says_what_it_does(kind: type) -> None:
    for name in public(kind) - {"id", "close", "evaluation", "record"}:
        assert inspect.getdoc(getattr(kind, name)), name


def public(kind: type) -> set[str]:
    held = {"evaluation"} if kind is AsyncHandle else {"record"} if kind is AsyncSandbox else set()
    return {name for name in vars(kind) if not name.startswith("_")} | held
