"""What stands in docs/security.md, as far as no box is needed to see it."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from evalbox.api.buckets import Buckets
from evalbox.api.throttle import UNKNOWN_BURST, Throttle
from evalbox.config.settings import Settings
from evalbox.domain.access import Principal, Scope, Token
from evalbox.domain.clock import ManualClock
from evalbox.domain.signing import SCHEME, sign
from evalbox.errors import ConfigError, RateLimited, ServiceError
from evalbox.host.address import check_exposed
from evalbox.service.remote.client import _refused

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"


def test_every_test_that_the_page_names_is_there() -> None:
    text = PAGE.read_text()
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text)
    assert len(named) >= 30
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        functions = {
            node.name
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert name in functions, f"{path}::{name}"


def test_every_line_of_the_ten_names_a_test() -> None:
    section = PAGE.read_text().partition("### OWASP")[2].partition("\n## ")[0]
    lines = re.split(r"\n(?=\d+\. )", section)[1:]
    assert [int(line.partition(".")[0]) for line in lines] == list(range(1, 11))
    assert all("::test_" in line for line in lines)


def test_the_page_shows_the_signature_as_it_is() -> None:
    header = sign(Token.new(signing=True), "GET", "/", now=1.0)
    shape = re.sub(r"=[^,]+", "=", header)
    assert shape == f"{SCHEME} key=, time=, nonce=, body=, signature="
    assert f"{SCHEME} key=ID, time=T, nonce=N, body=HASH, signature=S" in PAGE.read_text()


@pytest.mark.parametrize(
    ("address", "tls", "insecure", "keys", "refused"),
    [
        ("127.0.0.1", False, False, False, False),
        ("::1", False, False, False, False),
        ("0.0.0.0", False, False, True, True),
        ("192.0.2.7", False, False, True, True),
        ("::", False, False, True, True),
        ("0.0.0.0", True, False, False, True),
        ("0.0.0.0", False, True, False, True),
        ("0.0.0.0", True, False, True, False),
        ("0.0.0.0", False, True, True, False),
    ],
)
def test_other_machines_are_let_in_with_keys_and_tls_only(
    address: str, tls: bool, insecure: bool, keys: bool, refused: bool
) -> None:
    settings = replace(Settings(), host=address, insecure=insecure, tls_cert="cert" if tls else "")
    if refused:
        with pytest.raises(ConfigError):
            check_exposed(address, settings, keys=keys)
    else:
        check_exposed(address, settings, keys=keys)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[]", b'"x"', b"null", b'{"a": 1}', b"\xff"])
def test_an_answer_of_something_else_is_no_answer_of_a_box(content: bytes) -> None:
    assert type(_refused(404, content)) is ServiceError


def test_a_bucket_fills_again() -> None:
    clock = ManualClock()
    buckets = Buckets(2.0, 3, clock)
    assert [buckets.take("a").left for _ in range(3)] == [2, 1, 0]
    refused = buckets.take("a")
    assert not refused.allowed
    assert refused.wait == pytest.approx(0.5)
    assert buckets.take("b").allowed
    clock.advance(0.25)
    assert buckets.take("a").wait == pytest.approx(0.25)
    clock.advance(0.25)
    assert buckets.take("a").allowed
    clock.advance(1000)
    assert [buckets.take("a").allowed for _ in range(4)] == [True, True, True, False]


def test_buckets_do_not_grow_without_end() -> None:
    buckets = Buckets(1.0, 1, ManualClock())
    for number in range(10_000):
        buckets.take(str(number))
    assert len(buckets._levels) <= 4096


def test_neighbours_of_version_6_share_a_bucket() -> None:
    throttle = Throttle(Settings(), ManualClock())
    for number in range(UNKNOWN_BURST):
        throttle.take(None, f"2001:db8::{number:x}")
    with pytest.raises(RateLimited):
        throttle.take(None, "2001:db8::ffff")
    assert throttle.take(None, "2001:db8:0:1::1") is not None
    assert throttle.take(None, "not an address") is not None
    assert throttle.take(Principal("x", frozenset(Scope), None, "socket"), "2001:db8::1") is None
