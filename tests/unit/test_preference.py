"""That a service prefers itself, and only for as long as it serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalbox.host.preference import preferred


def test_a_session_is_preferred_for_the_length_of_a_block(tmp_path: Path) -> None:
    autogroup = tmp_path / "autogroup"
    autogroup.write_text("/autogroup-7 nice 0\n")
    with preferred(autogroup):
        assert autogroup.read_text() == "-10"
    assert autogroup.read_text() == "0"


def test_one_that_is_preferred_more_stays_so(tmp_path: Path) -> None:
    autogroup = tmp_path / "autogroup"
    autogroup.write_text("/autogroup-7 nice -15\n")
    with preferred(autogroup):
        assert autogroup.read_text() == "-15"


@pytest.mark.parametrize("content", [None, "", "no number"])
def test_where_it_cannot_be_done_nothing_is(tmp_path: Path, content: str | None) -> None:
    autogroup = tmp_path / "autogroup"
    if content is not None:
        autogroup.write_text(content)
    with preferred(autogroup):
        assert not autogroup.exists() or autogroup.read_text() == content
