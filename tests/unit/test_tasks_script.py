"""Which command a script becomes, and which scripts are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.paths import HOME
from evalbox.errors import FileMissing, InvalidInput
from evalbox.tasks.base import Task
from evalbox.tasks.registry import read_task
from evalbox.tasks.script import INTERPRETERS, script


def task(source: bytes, name: str = "x", **options: object) -> Task:
    return script(source, origin=name, name=name, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "interpreter"),
    [("x.py", "python3"), ("x.js", "node"), ("x.mjs", "node"), ("x.cjs", "node"), ("x.sh", "sh")],
)
def test_the_suffix_names_the_language(name: str, interpreter: str) -> None:
    assert task(b"1", name).command == (interpreter, f"{HOME}/{name}")


def test_arguments_follow_the_script() -> None:
    assert task(b"", "x.py", arguments=("-v", "a b")).command[2:] == ("-v", "a b")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"#!/bin/bash", ("/bin/bash",)),
        (b"#! /bin/sh -eu ", ("/bin/sh", "-eu")),
        (b"#!/usr/bin/env python3", ("/usr/bin/env", "python3")),
        (b"#!/usr/bin/env -S node --no-warnings", ("/usr/bin/env", "-S node --no-warnings")),
        (b"#!/bin/sh\r", ("/bin/sh",)),
    ],
)
def test_a_shebang_is_split_as_the_kernel_does(line: bytes, command: tuple[str, ...]) -> None:
    assert task(line + b"\necho hi\n", "tool").command == (*command, f"{HOME}/tool")


def test_a_shell_script_says_which_shell_it_needs() -> None:
    assert task(b"#!/bin/bash\n", "x.sh").command[0] == "/bin/bash"


def test_a_python_file_runs_on_the_image_s_python_whatever_its_first_line() -> None:
    assert task(b"#!/home/me/venv/bin/python\n", "x.py").command[0] == "python3"


def test_the_language_that_is_named_counts_most() -> None:
    assert task(b"#!/bin/bash\n", "x.txt", language="py").command == ("python3", f"{HOME}/x.txt.py")


@pytest.mark.parametrize("name", ["x", "x.txt", "x.rb", "Makefile"])
def test_an_unknown_language_is_refused_with_those_known(name: str) -> None:
    with pytest.raises(InvalidInput, match="language is not known") as caught:
        task(b"hello", name)
    assert all(language in caught.value.hint for language in INTERPRETERS)


def test_an_unknown_lang_is_refused() -> None:
    with pytest.raises(InvalidInput, match="cobol"):
        task(b"", "x", language="cobol")


@pytest.mark.parametrize("line", [b"#!python3", b"#!", b"#!/usr/bin/env", b"#!\xff/bin/sh"])
def test_a_senseless_shebang_is_refused(line: bytes) -> None:
    with pytest.raises(InvalidInput, match="#! line"):
        task(line + b"\n", "tool")


@pytest.mark.parametrize("name", ["x.py", "x.sh", "tool"])
def test_a_binary_is_refused_with_the_way_to_run_it(name: str) -> None:
    with pytest.raises(InvalidInput, match="binary") as caught:
        task(b"\x7fELF\x02\x01\x01\x00\x00", name)
    assert "--file" in caught.value.hint


@pytest.mark.parametrize("name", ["x.py", "x.js", "x.sh"])
def test_source_that_is_not_utf_8_is_refused_with_its_line(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"not UTF-8.*") as caught:
        task(b"a = 1\nb = '\xe9'\n", name)
    assert "line 2" in caught.value.message or "utf-8" in caught.value.message.lower()


def test_python_may_declare_its_encoding() -> None:
    assert task(b"# -*- coding: latin-1 -*-\nprint('\xe9')\n", "x.py").command[0] == "python3"


def test_python_that_declares_no_known_encoding_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not UTF-8"):
        task(b"# -*- coding: klingon -*-\n", "x.py")


def test_utf_16_is_refused_as_text_in_another_encoding() -> None:
    with pytest.raises(InvalidInput, match="not UTF-8"):
        task("print(1)".encode("utf-16"), "x.py")


def test_an_empty_file_is_a_script() -> None:
    assert task(b"", "x.py").files[0].content == b""


@given(st.text(st.characters(blacklist_characters="/\0"), min_size=1, max_size=300))
def test_any_file_name_becomes_one_that_is_safe(name: str) -> None:
    path = task(b"", name, language="py").files[0].path
    last = path.removeprefix(f"{HOME}/")
    assert "/" not in last
    assert last.isascii()
    assert last.isprintable()
    assert not last.startswith((".", "-"))
    assert 1 <= len(last) <= 110


@given(st.binary(max_size=200))
def test_any_bytes_are_a_task_or_refused(source: bytes) -> None:
    for name in ("x.py", "x.sh", "x"):
        try:
            assert task(source, name).files[0].content == source
        except InvalidInput as error:
            assert "\n" not in error.message  # noqa: PT017


def test_a_script_is_read_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "count.py"
    path.write_text("print(1)")
    task = read_task(path, ("5",))
    assert (task.name, task.kind) == ("count.py", "script")
    assert task.command == ("python3", f"{HOME}/count.py", "5")
    assert task.files[0].mode == 0o755


def test_a_link_to_a_script_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real.py").write_text("print(1)")
    (tmp_path / "link.py").symlink_to("real.py")
    assert read_task(tmp_path / "link.py").name == "link.py"


def test_what_is_not_there_is_missing(tmp_path: Path) -> None:
    for path in (tmp_path / "nope.py", tmp_path / "a" / "b.py"):
        with pytest.raises(FileMissing, match="no such file"):
            read_task(path)


def test_a_directory_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a directory") as caught:
        read_task(tmp_path)
    assert "--file" in caught.value.hint


def test_devices_and_pipes_are_refused(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.py")
    for path in (tmp_path / "pipe.py", Path("/dev/zero")):
        with pytest.raises(InvalidInput, match="not a regular file"):
            read_task(path)


def test_a_path_with_nul_is_refused() -> None:
    with pytest.raises(InvalidInput, match="not a possible path"):
        read_task(Path("a\0b.py"))


def test_a_huge_script_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.py"
    with path.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(InvalidInput, match="longer than"):
        read_task(path)
