"""Moments as people type them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.moments import parse_moment, parse_since
from evalbox.errors import InvalidInput
from evalbox.requests.values import start_time
from evalbox.wire.moments import iso

NOON = datetime(2024, 3, 15, 12, 0, tzinfo=UTC).timestamp()


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13:30", NOON + 5400),
        ("9:05", NOON + 21 * 3600 + 300),
        ("12:00", NOON + 86400),
        ("12:00:01", NOON + 1),
        ("2024-03-15T12:00:10", NOON + 10),
        ("2024-03-15 12:00:10", NOON + 10),
        ("2024-03-15T12:00:00+02:00", NOON - 7200),
        ("2024-03-15T12:00:00Z", NOON),
        ("2024-03-15", NOON - 43200),
    ],
)
def test_moments(text: str, expected: float) -> None:
    assert parse_moment(text, now=NOON, field="at") == expected


@pytest.mark.parametrize(
    "text", ["", "noon", "25:00", "12:60", "2024-13-01", "1e308", "0001-01-01"]
)
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(InvalidInput, match="--at"):
        start_time(text, None, now=NOON)


def test_the_start() -> None:
    assert start_time(None, None, now=NOON) is None
    assert start_time(None, "10m", now=NOON) == NOON + 600
    assert start_time("12:30", None, now=NOON) == NOON + 1800
    with pytest.raises(InvalidInput, match="past"):
        start_time("2020-01-01", None, now=NOON)
    with pytest.raises(InvalidInput, match="exclude"):
        start_time("12:30", "5m", now=NOON)
    for text in ("-1", "nan", "inf", "soon"):
        with pytest.raises(InvalidInput, match="--in"):
            start_time(None, text, now=NOON)


def test_since() -> None:
    assert parse_since("2h", now=NOON, field="since") == NOON - 7200
    assert parse_since("2024-03-15", now=NOON, field="since") == NOON - 43200
    with pytest.raises(InvalidInput, match="--since"):
        parse_since("yesterday", now=NOON, field="since")


def test_iso_is_utc_to_the_millisecond() -> None:
    assert iso(NOON + 0.1234) == "2024-03-15T12:00:00.123Z"


@given(st.text(max_size=30))
def test_any_text_is_a_moment_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert isinstance(parse_since(text, now=NOON, field="since"), float)
