"""Ways to attempt a task, as they are sent along with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalbox.agents import program
from evalbox.agents.base import DIRECTORY
from evalbox.agents.choosing import choose
from evalbox.agents.replay import read_replay
from evalbox.agents.simple import MAX_SUBMISSION, read_submission, submission
from evalbox.errors import FileMissing, InvalidInput


def replay(text: str) -> list[dict[str, object]]:
    return read_replay(text.encode(), "replay.yaml")


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_submission_is_taken_byte_for_byte(tmp_path: Path) -> None:
    content = b"\0\xff\r\n 42 \n\n"
    (tmp_path / "it").write_bytes(content)
    agent = submission(read_submission(f"@{tmp_path}/it"))
    assert agent.files[0].content == content
    assert (agent.files[0].mode, agent.works) == (0o600, False)
    assert read_submission("") == b""
    assert read_submission(" 4\n") == b" 4\n"
    assert read_submission("ü\udcff") == "ü".encode() + b"\xff"


def test_a_submission_of_ten_megabytes_and_one_too_long(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"x" * 10_000_000)
    assert len(read_submission(f"@{tmp_path}/it")) == 10_000_000
    with (tmp_path / "it").open("r+b") as file:
        file.truncate(MAX_SUBMISSION + 1)
    with pytest.raises(InvalidInput, match="longer than"):
        read_submission(f"@{tmp_path}/it")
    with pytest.raises(InvalidInput, match="over 64 MiB"):
        submission(b"x" * (MAX_SUBMISSION + 1))


def test_a_submission_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match="no such file"):
        read_submission(f"@{tmp_path}/none")
    with pytest.raises(InvalidInput, match="is a directory"):
        read_submission(f"@{tmp_path}")
    with pytest.raises(InvalidInput, match="no file is named"):
        read_submission("@")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="not a regular file"):
        read_submission(f"@{tmp_path}/pipe")


def test_a_command_is_a_line_for_bash() -> None:
    agent = choose("python3 -c 'print(1)' | tee submission.txt")
    assert agent.plan == {
        "kind": "command",
        "argv": ["/bin/bash", "-lc", "python3 -c 'print(1)' | tee submission.txt"],
    }
    assert agent.name == "python3 -c 'print(1)' | tee submission.…"
    assert choose("echo \x1b[31m\u202e x").name == "echo [31m x"
    for wrong in ("", "  \n", "a\0b", "x" * 131_072):
        with pytest.raises(InvalidInput, match="--agent"):
            choose(wrong)


def test_a_human() -> None:
    assert choose("human").plan == {"kind": "human"}


def test_what_looks_like_a_file_is_to_be_one() -> None:
    for text in ("nowhere.yaml", "./nowhere.py", "nowhere/"):
        with pytest.raises(FileMissing, match="no such file"):
            choose(text)
    assert choose("./nowhere.py --fast").plan["kind"] == "command"


def test_a_script_is_an_agent(tmp_path: Path) -> None:
    agent = choose(str(write(tmp_path / "solve.py", "print(1)")))
    assert agent.name == "solve"
    assert agent.plan["argv"] == ["python3", f"{DIRECTORY}/solve.py"]
    assert [(one.path, one.content) for one in agent.files] == [
        (f"{DIRECTORY}/solve.py", b"print(1)")
    ]


def test_a_directory_is_an_agent_by_what_is_in_it(tmp_path: Path) -> None:
    place = tmp_path / "solver"
    (place / "lib").mkdir(parents=True)
    (place / ".git").mkdir()
    write(place / ".git" / "config", "")
    write(place / "lib" / "x.py", "")
    with pytest.raises(InvalidInput, match="no program"):
        choose(str(place))
    write(place / "main.sh", "true")
    assert choose(str(place)).plan["argv"] == ["/bin/bash", f"{DIRECTORY}/main.sh"]
    write(place / "main.py", "print(1)")
    assert choose(str(place)).plan["argv"] == ["python3", f"{DIRECTORY}/main.py"]
    write(place / "agent", "#!/bin/sh")
    assert choose(str(place)).plan["argv"] == ["python3", f"{DIRECTORY}/main.py"]
    (place / "agent").chmod(0o755)
    agent = choose(str(place))
    assert (agent.name, agent.plan["argv"]) == ("solver", [f"{DIRECTORY}/agent"])
    assert {one.path: one.mode for one in agent.files} == {
        f"{DIRECTORY}/agent": 0o755, f"{DIRECTORY}/lib/x.py": 0o644,
        f"{DIRECTORY}/main.py": 0o644, f"{DIRECTORY}/main.sh": 0o644,
    }  # fmt: skip
    write(place / program.MANIFEST, "name: fast one\n")
    assert choose(str(place)).name == "fast one"
    write(place / program.MANIFEST, "command: python3 $AGENT_DIR/main.py --fast")
    assert choose(str(place)).plan["argv"][-1].endswith("; python3 $AGENT_DIR/main.py --fast")
    write(place / program.MANIFEST, "run: x")
    with pytest.raises(InvalidInput, match=r"agent\.yaml, line 1: unknown key 'run'"):
        choose(str(place))


def test_no_link_of_an_agent_leads_out(tmp_path: Path) -> None:
    place = tmp_path / "solver"
    place.mkdir()
    write(place / "main.py", "")
    (place / "secret").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="outside"):
        choose(str(place))


def test_a_replay_is_a_list_of_steps(tmp_path: Path) -> None:
    text = """
- make
- run: ./solve
  may_fail: false
- score
- score: true
- submit: "42\\n"
"""
    assert replay(text) == [
        {"run": "make"},
        {"run": "./solve", "may_fail": False},
        {"score": True},
        {"score": True},
        {"submit": "42\n"},
    ]
    agent = choose(str(write(tmp_path / "good.yaml", text)))
    assert (agent.name, agent.plan["kind"]) == ("good", "replay")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no steps"),
        ("[]", "has no steps"),
        ("run: x", "is to be a list"),
        ("- run: x\n- submit: y\n- run: z", "line 2: [2]: submit is the last step"),
        ("- {}", "one of: run, score, submit"),
        ("- {run: x, submit: y}", "one of: run, score, submit"),
        ("- {score: true, may_fail: true}", "is for run"),
        ("- {score: false}", "is to be true"),
        ("- {run: ''}", "is no command"),
        ("- {run: }", "is empty"),
        ("- {ran: x}", "unknown key 'ran'"),
        ("- [x]", "is to be text"),
    ],
)
def test_a_wrong_replay_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        replay(text)
    assert told in error.value.message


@given(st.text(max_size=60))
@example("~0")
@example("~nobody-of-that-name/agent")
def test_whatever_is_typed_is_an_agent_or_refused_in_words(text: str) -> None:
    try:
        agent = choose(text)
    except (InvalidInput, FileMissing) as error:
        assert error.message.isprintable() or text in error.message  # noqa: PT017
    else:
        assert agent.name.isprintable()
