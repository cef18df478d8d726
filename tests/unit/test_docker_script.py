"""The script that a waiting sandbox becomes its command by, run by the shells of this host."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from evalbox.engines.base import Launch, SourceFile
from evalbox.engines.docker.script import (
    INLINE_LIMIT,
    SCRIPT_LIMIT,
    beneath,
    may_inline,
    plan,
    printf,
    quote,
)
from evalbox.errors import InvalidInput

SHELLS = [path for name in ("dash", "bash", "sh") if (path := shutil.which(name))]
SLOW = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
NAMES = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
MODES = st.sampled_from([0o644, 0o755, 0o600, 0o444])
REPORT = (
    "import json,os,sys;"
    "print(json.dumps([sys.argv[1:],dict(os.environ),os.getcwd(),sys.stdin.buffer.read().hex()]))"
)


def run(shell: str, script: bytes, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [shell], input=script, capture_output=True, timeout=20, check=False, **options
    )


def launched(shell: str, launch: Launch, contents: dict[str, bytes] | None) -> list[Any]:
    made = plan(launch, root=True, contents=contents)
    done = run(shell, made.script, env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    result: list[Any] = json.loads(done.stdout)
    return result


def source(path: str, content: bytes = b"", mode: int = 0o644) -> SourceFile:
    return SourceFile(path, Path("/nowhere"), len(content), mode)


@pytest.mark.parametrize("shell", SHELLS)
@given(content=st.binary(max_size=3000))
@example(content=bytes(range(256)) * 3)
@example(content=b"-n")
@example(content=b"%s\\n'\"$(id)`id`")
@SLOW
def test_printf_gives_any_bytes(shell: str, content: bytes) -> None:
    assert run(shell, printf(content) + b"\n").stdout == content


@pytest.mark.parametrize("shell", SHELLS)
@given(word=TEXT)
@SLOW
def test_quoted_words_stay_as_they_are(shell: str, word: str) -> None:
    code = "import os,sys;os.write(1,os.fsencode(sys.argv[1]))"
    words = b" ".join(map(quote, (sys.executable, "-c", code, word)))
    done = run(shell, b"exec %s </dev/null" % words)
    assert done.stdout == word.encode()


@pytest.mark.parametrize("shell", SHELLS)
@given(
    arguments=st.lists(TEXT, max_size=4),
    env=st.dictionaries(
        TEXT.filter(lambda name: name != "" and "=" not in name and name not in ("PATH", "_")),
        TEXT,
        max_size=4,
    ),
    stdin=st.none() | st.binary(max_size=300),
)
@SLOW
def test_command_environment_and_input_arrive(
    shell: str, tmp_path: Path, arguments: list[str], env: dict[str, str], stdin: bytes | None
) -> None:
    workdir = tmp_path / "a b'c"
    launch = Launch(
        (sys.executable, "-c", REPORT, *arguments),
        str(workdir),
        env,
        stdin=None if stdin is None else source("", stdin),
    )
    got, seen, cwd, data = launched(shell, launch, {} if stdin is None else {"": stdin})
    assert got == arguments
    assert {name: seen[name] for name in env} == env
    assert cwd == str(workdir)
    assert bytes.fromhex(data) == (stdin or b"")


@pytest.mark.parametrize("shell", SHELLS)
def test_variables_that_shells_keep_for_themselves_arrive(shell: str, tmp_path: Path) -> None:
    names = [
        "UID", "PPID", "OPTIND", "IFS", "RANDOM", "SECONDS", "BASHOPTS", "LINENO", "PWD", "_",
        "PS1", "A.B", "-x",
    ]  # fmt: skip
    env = dict.fromkeys(names, "1x")
    command = (sys.executable, "-c", REPORT.replace("os.getcwd()", "0"))
    _, seen, _, _ = launched(shell, Launch(command, str(tmp_path), env), {})
    assert {name: seen[name] for name in env} == env


@pytest.mark.parametrize("shell", SHELLS)
@given(files=st.dictionaries(NAMES, st.tuples(st.binary(max_size=500), MODES), max_size=4))
@SLOW
def test_inline_files_arrive_with_content_and_mode(
    shell: str, tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[bytes, int]]
) -> None:
    root = tmp_path_factory.mktemp("w")
    items = tuple(
        source(f"{root}/sub/{name}", content, mode) for name, (content, mode) in files.items()
    )
    contents = {item.path: files[Path(item.path).name][0] for item in items}
    launched(shell, Launch((sys.executable, "-c", REPORT), str(root), files=items), contents)
    for item in items:
        path = Path(item.path)
        assert path.read_bytes() == contents[item.path]
        assert path.stat().st_mode & 0o777 == item.mode


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_runs_before_the_script_is_whole(shell: str, tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    script = plan(Launch(("touch", str(witness)), str(tmp_path)), root=True, contents={}).script
    run(shell, script[:-3])
    assert not witness.exists()
    run(shell, script)
    assert witness.exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_second_script_is_not_read(shell: str, tmp_path: Path) -> None:
    witness = tmp_path / "count"
    command = ("sh", "-c", f"echo once >>{witness}; cat")
    script = plan(Launch(command, str(tmp_path)), root=True, contents={}).script
    done = run(shell, script * 3)
    assert witness.read_text() == "once\n"
    assert done.stdout == b""


@pytest.mark.parametrize("shell", SHELLS)
def test_the_status_is_the_commands_own(shell: str, tmp_path: Path) -> None:
    for command, status in ((("sh", "-c", "exit 7"), 7), (("no-such-program",), 127)):
        script = plan(Launch(command, str(tmp_path)), root=True, contents={}).script
        assert run(shell, script).returncode == status


@pytest.mark.parametrize("shell", SHELLS)
def test_a_file_that_cannot_be_written_ends_it(shell: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    path = f"{tmp_path}/taken"
    launch = Launch(("echo", "ran"), str(tmp_path), files=(source(path, b"x"),))
    done = run(shell, plan(launch, root=True, contents={path: b"x"}).script)
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"taken" in done.stderr


def test_home_is_the_workdir_unless_root_or_told() -> None:
    def script(*, root: bool, env: dict[str, str]) -> bytes:
        return plan(Launch(("x",), "/w", env), root=root, contents={}).script

    assert b"export HOME='/w'" in script(root=False, env={})
    assert b"HOME" not in script(root=True, env={})
    assert script(root=False, env={"HOME": "/h"}).count(b"HOME") == 1


def test_which_files_may_travel_inline() -> None:
    def launch(path: str, size: int) -> Launch:
        return Launch(("x",), "/w", files=(SourceFile(path, Path("/s"), size),))

    assert may_inline(launch("/w/a/b", INLINE_LIMIT))
    assert may_inline(launch("/tmp/a", 1))
    assert not may_inline(launch("/w/a", INLINE_LIMIT + 1))
    assert not may_inline(launch("/opt/a", 1))
    assert not may_inline(launch("/w/../etc/a", 1))


def test_what_grows_too_large_is_staged() -> None:
    zeros = bytes(INLINE_LIMIT)
    launch = Launch(("x",), "/w", files=(source("/w/zeros", zeros),), stdin=source("", b"in"))
    made = plan(launch, root=False, contents={"/w/zeros": zeros, "": b"in"})
    assert [item.path for item in made.staged] == ["/w/zeros", "/.evalbox/stdin"]
    assert len(made.script) < SCRIPT_LIMIT


def test_a_long_script_is_staged_itself() -> None:
    made = plan(Launch(("x", "y" * 200_000), "/w"), root=False, contents={})
    assert made.script == b". '/.evalbox/script'\n"
    assert made.staged[-1].path == "/.evalbox/script"


def test_files_for_memory_mounts_are_carried_on_by_the_script() -> None:
    file = source("/tmp/x", bytes(INLINE_LIMIT + 1), 0o600)
    made = plan(Launch(("x",), "/w", files=(file,)), root=False, contents=None)
    assert [item.path for item in made.staged] == ["/.evalbox/0"]
    assert b"cat <'/.evalbox/0' >'/tmp/x'" in made.script


@pytest.mark.parametrize(
    "launch",
    [
        Launch(()),
        Launch(("",)),
        Launch(("a\0b",)),
        Launch(("a",), env={"": "x"}),
        Launch(("a",), env={"a=b": "x"}),
        Launch(("a",), env={"a": "x\0"}),
        Launch(("a",), "relative"),
        Launch(("a",), files=(source("relative"),)),
    ],
)
def test_what_no_process_can_be_given_is_refused(launch: Launch) -> None:
    with pytest.raises(InvalidInput):
        plan(launch, root=False, contents=None)


def test_beneath() -> None:
    assert beneath("/a/b", "/a")
    assert beneath("/a", "/")
    assert not beneath("/ab", "/a")
    assert not beneath("/a", "/a")
    assert not beneath("/a/../b", "/a")
