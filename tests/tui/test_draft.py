"""What is typed into the form, and the request that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.quantity import brief_duration, brief_size, parse_duration, parse_size
from evalbox.errors import FileMissing, InvalidInput
from evalbox.requests.request import Defaults, Request
from evalbox.tui.form.draft import Draft, Mode, opened, too_long
from evalbox.tui.form.fields import FIELDS, Kind
from evalbox.tui.form.sheet import told

NOW = 1_700_000_000.0


def problems(**given: Any) -> dict[str, str]:
    found = Draft(**given).problems(Defaults(), now=NOW)
    return {option: told(option, error) for option, error in found.items()}


def file(place: Path, name: str, content: str) -> Path:
    (place / name).write_text(content)
    return place / name


def test_every_option_of_a_request_has_its_place() -> None:
    elsewhere = {"path", "arguments", "command", "source", "lang", "idempotency_key"}
    assert set(FIELDS) | elsewhere == set(Request.__dataclass_fields__)


def test_defaults_are_told_as_they_are_typed() -> None:
    limits = Request().limits()
    assert parse_size(FIELDS["memory"].unsaid) == limits.memory
    assert parse_duration(FIELDS["timeout"].unsaid) == limits.timeout
    for option, field in FIELDS.items():
        if field.kind is Kind.CHOICE and option != "engine":
            assert field.choices[0] == getattr(Request(), option)


def test_a_file_as_it_was_opened_is_named_by_its_path(tmp_path: Path) -> None:
    draft = opened(file(tmp_path, "x.py", "print(1)\n"), Draft(arguments="-v 'a b'"))
    assert draft.request() == Request(path=f"{tmp_path}/x.py", command=("-v", "a b"))
    draft.text += "print(2)"
    assert draft.request() == Request(
        path="-", source=b"print(1)\nprint(2)\n", lang="py", name="x.py", command=("-v", "a b")
    )
    draft.values["name"] = "other"
    assert draft.request().name == "other"


def test_a_shell_script_goes_on_to_say_which_shell(tmp_path: Path) -> None:
    draft = opened(file(tmp_path, "x.sh", "#!/bin/bash\n"), Draft())
    draft.text += "echo"
    assert draft.request().lang is None
    assert draft.request().prepare(Defaults(), now=NOW).spec.command[0] == "/bin/bash"
    draft.text = "echo"
    assert draft.request().lang == "sh"


def test_what_is_opened_keeps_the_fields(tmp_path: Path) -> None:
    before = Draft(mode=Mode.COMMAND, command="ls", language="js", values={"cpus": "2"})
    after = opened(file(tmp_path, "x.py", ""), before)
    assert (after.mode, after.language, after.values) == (Mode.SCRIPT, "auto", {"cpus": "2"})
    (tmp_path / "task").mkdir()
    assert opened(tmp_path / "task", before).mode is Mode.FILE
    with pytest.raises(FileMissing):
        opened(tmp_path / "none", before)
    with pytest.raises(InvalidInput):
        opened(Path("/dev/zero"), before)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({}, {"path"}),
        ({"text": "x"}, {"path"}),
        ({"text": "x", "language": "py"}, set()),
        ({"text": "x", "language": "py", "arguments": "'"}, {"path"}),
        ({"text": "\0", "language": "py"}, {"path"}),
        ({"mode": Mode.COMMAND}, {"path"}),
        ({"mode": Mode.COMMAND, "command": "ls 'a"}, {"path"}),
        ({"mode": Mode.COMMAND, "command": "ls"}, set()),
        ({"mode": Mode.COMMAND, "command": "ls", "values": {"cpus": "", "env": "A=1 B="}}, set()),
        (
            {"mode": Mode.COMMAND, "values": {"cpus": "0", "env": "A'", "repeat": "0"}},
            {"path", "cpus", "env", "repeat"},
        ),
        ({"mode": Mode.COMMAND, "command": "ls", "values": {"at": "12:00", "after": "1h"}}, {"at"}),
    ],
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else str(value),
)
def test_what_is_wrong(given: dict[str, Any], wrong: set[str]) -> None:
    assert set(problems(**given)) == wrong


def test_problems_stand_under_their_field_and_do_not_name_it() -> None:
    found = problems(
        text="x", language="py",
        values={"memory": "x", "output_limit": "1", "after": "soon", "label": "a", "cpus": "0",
                "engine": "x", "artifact": "..", "network": "x", "batch": "\t"},
    )  # fmt: skip
    assert found["memory"].startswith("'x' is not a size")
    assert found["output_limit"].startswith("1 is out of range")
    assert found["after"].startswith("'soon' is not a duration")
    assert found["label"] == "'a' is not KEY=VALUE"
    assert found["cpus"].startswith("0 is out of range")
    assert found["engine"].startswith("there is no engine 'x'")
    assert found["artifact"].startswith("'..' is not a path")
    assert found["network"].startswith("'x' is not known")
    assert found["batch"].startswith("'\\t' is not usable")


def test_what_would_be_lost() -> None:
    assert not Draft().changed
    assert not Draft(text="a", opened="a", path="a", values={"cpus": ""}).changed
    assert Draft(text="b", opened="a", path="a").changed
    assert Draft(values={"cpus": "1"}).changed
    assert Draft(command="ls").changed


def test_how_long_may_be_typed_on() -> None:
    assert not too_long("x\n" * 9_999)
    assert too_long("x\n" * 10_000)
    assert too_long("x" * (2 << 20))


@given(st.integers(1, 1 << 60))
def test_brief_sizes_are_read_back(count: int) -> None:
    text = brief_size(count)
    assert text.isalnum()
    assert parse_size(text) == (count if text[-1].isalpha() else float(count))


@given(st.floats(0.001, 1e9).map(lambda seconds: round(seconds, 3)))
def test_brief_durations_are_read_back(seconds: float) -> None:
    assert parse_duration(brief_duration(seconds)) == seconds
