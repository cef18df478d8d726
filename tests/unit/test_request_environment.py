"""The environment that a job is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalbox.errors import FileMissing, InvalidInput
from evalbox.requests.environment import environment


def test_values_and_one_s_own() -> None:
    found = environment(["A=1", "B=", "C=x=y", "HOME"], [], caller={"HOME": "/root"})
    assert found == {"A": "1", "B": "", "C": "x=y", "HOME": "/root"}


def test_the_later_counts_and_options_over_files(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text("# comment\n\nA=file\n  B=file \nC\n")
    found = environment(["A=option", "A=last"], [str(file)], caller={"C": "own"})
    assert found == {"A": "last", "B": "file ", "C": "own"}


@pytest.mark.parametrize("text", ["", "=x", "1A=x", "a-b=x", "A B=x", "ä=x"])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(InvalidInput, match="name of a variable"):
        environment([text], [])


def test_one_s_own_that_is_not_set() -> None:
    with pytest.raises(InvalidInput, match="NOPE is not set"):
        environment(["NOPE"], [], caller={})


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        environment([], [str(tmp_path / "nope")])
    bad = tmp_path / "bad"
    bad.write_bytes(b"A=\xff")
    with pytest.raises(InvalidInput, match="UTF-8"):
        environment([], [str(bad)])
    bad.write_bytes(b"A=1\nB=a\0b\n")
    with pytest.raises(InvalidInput, match=r"line 2.*NUL"):
        environment([], [str(bad)])
