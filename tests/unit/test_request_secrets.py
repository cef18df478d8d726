"""Files of secrets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.errors import InvalidInput
from evalbox.requests.secrets import parse_secrets, read_secrets, required


def test_secrets_are_read_as_other_tools_read_them(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_bytes(
        b"\xef\xbb\xbf# a comment\r\n"
        b"PLAIN = two words # and a comment\r\n"
        b'export QUOTED="a # b\\n$c"\n\n'
        b"SINGLE='a\\nb \"c\"'   # why\n"
        b"EMPTY=\n"
        b"URL=https://x/?a=b&c=d\n"
        b'PEM="-----BEGIN-----\nline\n-----END-----"\n'
        b"PLAIN=again"
    )
    assert read_secrets(tmp_path / "secrets.env") == {
        "PLAIN": "again",
        "QUOTED": "a # b\n$c",
        "SINGLE": 'a\\nb "c"',
        "EMPTY": "",
        "URL": "https://x/?a=b&c=d",
        "PEM": "-----BEGIN-----\nline\n-----END-----",
    }


@pytest.mark.parametrize(
    "line", ["VALUE", "1A=x", "A B=x", "=x", "A='open", 'A="x" y', "A-B=c", "A: b"]
)
def test_what_is_no_secret_is_told_with_its_line_and_no_value(line: str) -> None:
    with pytest.raises(InvalidInput) as error:
        parse_secrets(f"OK=very secret\n\n{line}\n", "file")
    assert error.value.message == "file, line 3: is not NAME=VALUE"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"A=\xff")
    with pytest.raises(InvalidInput, match="UTF-8"):
        read_secrets(tmp_path / "x")
    (tmp_path / "x").write_bytes(b"A=a\0b")
    with pytest.raises(InvalidInput, match="A has a NUL"):
        read_secrets(tmp_path / "x")


@given(st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text()))
def test_what_is_quoted_comes_back(secrets: dict[str, str]) -> None:
    secrets = {name: value.replace("\0", "") for name, value in secrets.items()}
    text = "".join(
        '{}="{}"\n'.format(name, value.replace("\\", "\\\\").replace('"', '\\"'))
        for name, value in secrets.items()
    )
    assert parse_secrets(text, "file") == secrets


@given(st.text())
def test_any_text_is_secrets_or_refused(text: str) -> None:
    try:
        found = parse_secrets(text, "file")
    except InvalidInput:
        return
    assert all(name.isidentifier() for name in found)


def test_exactly_the_required_ones_and_all_missing_ones_are_named() -> None:
    secrets, caller = {"A": "1", "X": "no"}, {"A": "2", "B": "3", "PATH": "no"}
    assert required(["A", "B"], secrets, caller, family="f") == {"A": "1", "B": "3"}
    with pytest.raises(InvalidInput, match="family f needs variables that are not set: C, D"):
        required(["A", "C", "D"], secrets, caller, family="f")
