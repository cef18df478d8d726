"""How the program starts, what it imports for that, and that its help and reference are true."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from evalbox import __version__
from evalbox.cli.app import COMMANDS, cli, invoke
from evalbox.cli.command import LazyGroup
from evalbox.cli.session import Session

REFERENCE = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = (
    "docker", "aiosqlite", "structlog", "sqlite3", "asyncio", "psutil", "platformdirs",
    "fastapi", "uvicorn", "httpx", "cryptography",
)  # fmt: skip


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join((*path, name)), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


ALL = dict(commands(cli))
#: What they print is for a shell, a person at a terminal, or a file.
NO_DATA = (
    "completion", "sandbox shell", "sandbox cp", "export", "shell", "demo", "images log",
    "task start", "task shell", "tasks new",
)  # fmt: skip


def test_version_imports_nothing_heavy() -> None:
    code = (
        "import sys; from evalbox.cli.app import Session, invoke; invoke(['--version'], Session());"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"evalbox {__version__}\n[]\n"


def test_version_is_there_at_once() -> None:
    """Under 100 ms. Processor time of the best of several: the machine may have more to do."""
    assert min(processor_time() for _ in range(5)) < 0.1


def processor_time() -> float:
    before = os.times()
    subprocess.run([sys.executable, "-m", "evalbox", "--version"], check=True, capture_output=True)
    after = os.times()
    return sum(after[2:4]) - sum(before[2:4])


def test_a_listing_needs_no_engine() -> None:
    code = (
        "import sys; from evalbox.cli.app import Session, invoke;"
        "invoke(['--data-dir', sys.argv[1], 'ls'], Session()); print('docker' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "/proc/no/such"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_the_list_of_commands_says_what_they_say_themselves() -> None:
    for section in COMMANDS.values():
        for name, (_, text) in section.items():
            assert isinstance(cli, LazyGroup)
            command = ALL[name]
            assert command.help is not None
            first = command.help.strip().splitlines()[0]
            assert first == text or name == "submit", name
            assert command.name == name


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help(name: str) -> None:
    command = ALL[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help or parameter.name == "priority", f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", ALL)
def test_every_command_that_prints_data_has_json(name: str) -> None:
    command = ALL[name]
    if isinstance(command, click.Group) or name in NO_DATA:
        return
    assert any("--json" in parameter.opts for parameter in command.params), name


@pytest.mark.parametrize("name", ["", *ALL])
def test_the_reference_names_every_option(name: str) -> None:
    command = ALL[name] if name else cli
    text = REFERENCE.read_text()
    title = f"## evalbox {name}".rstrip() if name else "## evalbox"
    assert f"\n{title}\n" in text, f"no section {title!r}"
    if name == "submit":
        title = "## evalbox run"  # which says that it takes the same
    section = text.split(f"\n{title}\n", 1)[1].split("\n## ", 1)[0]
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            for option in (*parameter.opts, *parameter.secondary_opts):
                assert f"`{option}" in section, f"{option} of {name!r} is not in the reference"


def test_the_reference_names_no_option_that_is_not_there() -> None:
    import re

    known = {
        option
        for command in (cli, *ALL.values())
        for parameter in command.params
        for option in parameter.opts
    } | {"--help"}
    found = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]+)", REFERENCE.read_text()))
    assert found <= known | {"--flag"}, found - known


def test_no_command_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([], Session()) == 0
    assert capsys.readouterr().out.startswith("Usage: evalbox")
