"""What commands are given: arguments, environment, files, standard input."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from evalbox.domain.limits import MIB
from evalbox.engines.conformance.case import case
from evalbox.engines.conformance.lab import Lab, expect, expect_that

WORKDIR = "/home/agent"
_SECRET = "EVALBOX_CONFORMANCE_SECRET"  # noqa: S105 - a name

ODD_WORDS = (
    "with space", "", "new\nline", "it's", 'a "quote"', "$(id)", "`id`", "$HOME", "*", "~", "-n",
    "--help", "back\\slash", "\\n", "%s", "tab\t", "ünïcödé ☃", ";", "&& false", "!x", "#no",
    " lead", "trail ", "\x7f\x01",
)  # fmt: skip

_FACTS = """
import hashlib, json, os, sys
print(json.dumps({
    path: [hashlib.sha256(open(path, "rb").read()).hexdigest(), os.stat(path).st_mode & 0o777]
    for path in sys.argv[1:]
}))
"""


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@case("runs_programs")
async def arguments(lab: Lab) -> None:
    """Arguments come as they are: spaces, quotes, newlines, the empty one, shell syntax."""
    code = "import json, sys; print(json.dumps(sys.argv[1:]))"
    ran = await lab.run("python3", "-c", code, *ODD_WORDS)
    expect(json.loads(ran.stdout), list(ODD_WORDS), "arguments")


@case("runs_programs")
async def environment(lab: Lab) -> None:
    """Variables come as they are: newlines, quotes, Unicode, the empty one, odd names."""
    given = {f"V{number}": word for number, word in enumerate(ODD_WORDS)} | {"dotted.name": "x"}
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    ran = await lab.python(code, env=given)
    expect(ran.stderr, b"", "standard error")
    found = json.loads(ran.stdout)
    expect({name: found.get(name) for name in given}, given, "variables")


@case()
async def one_variable(lab: Lab) -> None:
    """A variable of the launch is in the command's environment."""
    commands = lab.commands
    ran = await lab.run(*commands.command(commands.variable("NAME")), env={"NAME": "a value"})
    expect(ran.stdout, b"a value\n", "variable")


@case("runs_programs")
async def no_variable_of_the_host(lab: Lab) -> None:
    """The environment of evalbox is not the command's."""
    with _secret_in_environment():
        ran = await lab.run("env")
    expect_that(_SECRET.encode() not in ran.stdout, "a variable of the host was passed on")


@contextmanager
def _secret_in_environment() -> Iterator[None]:
    os.environ[_SECRET] = "hunter2"
    try:
        yield
    finally:
        del os.environ[_SECRET]


@case()
async def a_file(lab: Lab) -> None:
    """A file is there, beneath the working directory, before the command starts."""
    commands = lab.commands
    ran = await lab.run(
        *commands.command(commands.show("in/file")),
        files=(lab.source(b"content", f"{WORKDIR}/in/file"),),
    )
    expect(ran.stdout, b"content", "content")


@case("runs_programs")
async def files_exact(lab: Lab) -> None:
    """Files have their content and mode: binary, empty, nested, with odd names."""
    wanted = {
        "binary": (bytes(range(256)), 0o644),
        "empty": (b"", 0o600),
        "a/b/c/deep": (b"deep\n", 0o755),
        "sp ace 'quote' $x": (b"odd\n", 0o444),
        "ünï": (b"%s \\n '", 0o640),
    }
    files = tuple(
        lab.source(content, f"{WORKDIR}/{path}", mode) for path, (content, mode) in wanted.items()
    )
    ran = await lab.run("python3", "-c", _FACTS, *wanted, files=files)
    expect(ran.stderr, b"", "standard error")
    facts = {path: [_sha(content), mode] for path, (content, mode) in wanted.items()}
    expect(json.loads(ran.stdout), facts, "files")


@case("runs_programs")
async def a_large_file(lab: Lab) -> None:
    """A file of 1 MiB is whole, and a small one beside it."""
    large = bytes(range(256)) * (MIB // 256)
    files = (lab.source(large, f"{WORKDIR}/large"), lab.source(b"x", f"{WORKDIR}/small", 0o755))
    ran = await lab.run("python3", "-c", _FACTS, "large", "small", files=files)
    facts = {"large": [_sha(large), 0o644], "small": [_sha(b"x"), 0o755]}
    expect(json.loads(ran.stdout), facts, "files")


@case("runs_programs")
async def many_files(lab: Lab) -> None:
    """A hundred small files are all there."""
    paths = [f"many/{number % 7}/{number}" for number in range(100)]
    files = tuple(lab.source(path.encode(), f"{WORKDIR}/{path}") for path in paths)
    ran = await lab.run("python3", "-c", _FACTS, *paths, files=files)
    facts = {path: [_sha(path.encode()), 0o644] for path in paths}
    expect(json.loads(ran.stdout), facts, "files")


@case("isolates")
async def files_elsewhere(lab: Lab) -> None:
    """Files may lie outside of the working directory: /opt, /tmp, a new directory."""
    paths = ["/opt/data/x", "/tmp/y", "/new/z"]  # noqa: S108
    files = tuple(lab.source(path.encode(), path) for path in paths)
    ran = await lab.run("python3", "-c", _FACTS, *paths, files=files)
    facts = {path: [_sha(path.encode()), 0o644] for path in paths}
    expect(ran.stderr, b"", "standard error")
    expect(json.loads(ran.stdout), facts, "files")


@case("runs_programs")
async def files_are_the_commands_own(lab: Lab) -> None:
    """The command may change and remove its files; what they came from stays as it was."""
    file = lab.source(b"before", f"{WORKDIR}/file")
    ran = await lab.shell("echo after >file && cat file && rm file", files=(file,))
    expect(ran.stdout, b"after\n", "standard output")
    expect(file.source.read_bytes(), b"before", "the host's file")


@case("runs_programs")
async def a_file_as_the_program(lab: Lab) -> None:
    """A file with a ``#!`` line and the mode for it is run by its path."""
    path = f"{WORKDIR}/program"
    file = lab.source(b"#!/bin/sh\necho ran with $1\n", path, 0o755)
    ran = await lab.run(path, "this", files=(file,))
    expect((ran.stdout, ran.stderr), (b"ran with this\n", b""), "output")


@case("runs_programs")
async def working_directory(lab: Lab) -> None:
    """The command starts in the working directory, which is made where it is missing, and its."""
    ran = await lab.shell("pwd; echo x >file && cat file", workdir=f"{WORKDIR}/new/place")
    expect(ran.stderr, b"", "standard error")
    directory, _, rest = ran.stdout.partition(b"\n")
    expect_that(directory.endswith(b"/home/agent/new/place"), f"started in {directory!r}")
    expect(rest, b"x\n", "a file written there")


@case()
async def standard_input(lab: Lab) -> None:
    """Standard input is the file given, whole and binary, and then ends."""
    content = bytes(range(256)) * 10
    ran = await lab.run(*lab.commands.command(lab.commands.cat()), stdin=lab.source(content))
    expect(ran.stdout, content, "what was read")


@case("runs_programs")
async def long_standard_input(lab: Lab) -> None:
    """Standard input of 1 MiB is whole."""
    content = os.urandom(MIB)
    ran = await lab.run("sha256sum", stdin=lab.source(content))
    expect(ran.stdout.split()[0].decode(), _sha(content), "SHA-256 of what was read")


@case()
async def no_standard_input(lab: Lab) -> None:
    """Without a standard input there is an empty one."""
    ran = await lab.run(*lab.commands.command(lab.commands.cat(), lab.commands.echo("end")))
    expect(ran.stdout, b"end\n", "what was read")
