"""Clients that break HTTP, lie, dawdle or vanish: a problem or silence, and nothing left behind."""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Iterator

import httpx
import pytest
from remains import SOON, unharmed
from standing import Standing, standing
from wire_client import Answer, answers, connected, head, sent

from evalbox.api import bodies

PREFIX = "/api/v1"
MANY = 1_000_000
OUTPUT = 300_000


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    directory = tmp_path_factory.mktemp("connections")
    with (
        standing(directory / "box", work=True, rate_limit=float(MANY), rate_burst=MANY) as made,
        unharmed(made, directory),
    ):
        yield made


@pytest.fixture(scope="module")
def evaluation(box: Standing) -> str:
    """One that has ended, with output and an artifact."""
    command = ["print", str(OUTPUT), ";", "artifact", "/home/agent/kept", "text"]
    body = {"command": command, "image": "any", "engine": "fake", "artifacts": ["kept"]}
    with httpx.Client(base_url=box.url + PREFIX, headers=box.headers) as client:
        made = client.post("/evaluations", json=body).json()
        ended = client.get(f"/evaluations/{made['id']}", params={"wait": 10}).json()
    assert ended["outcome"] == "ok"
    return str(made["id"])


def only(found: list[Answer]) -> Answer:
    assert len(found) == 1, found
    assert b"Traceback" not in found[0].body
    return found[0]


def queued(box: Standing) -> int:
    with httpx.Client(base_url=box.url + PREFIX, headers=box.headers) as client:
        return len(client.get("/evaluations", params={"limit": 1000}).json()["items"])


def abort(client: socket.socket) -> None:
    """Ends a connection as a crash does: without a farewell."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


# what is not HTTP, or lies

CREATE = b'{"command":["true"],"image":"any","engine":"fake"}'
LENGTHS = {
    "negative": ["Content-Length: -1"],
    "no number": ["Content-Length: many"],
    "hexadecimal": ["Content-Length: 0x10"],
    "with a sign": ["Content-Length: +5"],
    "too large for any integer": ["Content-Length: " + "9" * 40],
    "two that differ": ["Content-Length: 5", "Content-Length: 6"],
    "together with chunks": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "an unknown coding": ["Transfer-Encoding: gzip, identity"],
}


@pytest.mark.parametrize("lie", LENGTHS)
@pytest.mark.parametrize("path", ["/evaluations", "/blobs", "/queue/pause"])
def test_lengths_that_lie(box: Standing, path: str, lie: str) -> None:
    before = queued(box)
    request = head(box, f"POST {PREFIX}{path}", "Content-Type: application/json", *LENGTHS[lie])
    for answer in sent(box, request + b"5\r\nhello\r\n0\r\n\r\n", close=True):
        assert 400 <= answer.status < 500, answer
        assert answer.problem
    assert queued(box) == before


CHUNKS = {
    "no size": b"hello\r\n",
    "a negative size": b"-5\r\nhello\r\n0\r\n\r\n",
    "a size of forty digits": b"f" * 40 + b"\r\nhello\r\n",
    "too little": b"ff\r\n" + CREATE + b"\r\n0\r\n\r\n",
    "no line after the data": b"3\r\nabcdef0\r\n\r\n",
    "an extension without end": b"5;" + b"x" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    "no end": b"%x\r\n%b\r\n" % (len(CREATE), CREATE),
}


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("path", ["/evaluations", "/blobs"])
def test_chunks_that_break_off(box: Standing, path: str, chunk: str) -> None:
    before = queued(box)
    request = head(
        box, f"POST {PREFIX}{path}", "Content-Type: application/json", "Transfer-Encoding: chunked"
    )
    for answer in sent(box, request + CHUNKS[chunk], close=True):
        assert 400 <= answer.status < 500, answer
        assert answer.problem
    assert queued(box) == before


def test_a_body_larger_than_was_said_is_no_part_of_it(box: Standing) -> None:
    request = head(
        box,
        f"POST {PREFIX}/evaluations",
        "Content-Type: application/json",
        f"Content-Length: {len(CREATE)}",
    )
    found = sent(box, request + CREATE + b"trailing junk\r\n\r\n", close=True)
    assert [answer.status for answer in found] in ([201], [201, 400], [400])


HEADS = {
    "a header of a megabyte": (b"X-Header: " + b"x" * (1 << 20) + b"\r\n", {413, 431}),
    "ten thousand headers": (b"".join(b"X-%d: y\r\n" % n for n in range(10_000)), {413, 431}),
    "two hosts": (b"Host: other\r\n", {200, 400}),
    "a folded header": (b"X-Header: a\r\n b\r\n", {200, 400}),
    "a header without a name": (b": value\r\n", {400}),
    "a space before the colon": (b"X-Header : value\r\n", {200, 400}),
    "a NUL in a header": (b"X-Header: a\0b\r\n", {400}),
    "bytes in a header": (b"X-Header: \xff\xfe\r\n", {200}),
    "no colon": (b"nonsense\r\n", {400}),
    "an id that would split the answer": (b"X-Request-ID: a%0d%0aSet-Cookie: x\r\n", {200}),
    "two keys": (b"Authorization: Bearer evb_other\r\n", {401}),
}


@pytest.mark.parametrize("name", HEADS)
def test_headers_of_all_kinds(box: Standing, name: str) -> None:
    extra, allowed = HEADS[name]
    request = head(box, f"GET {PREFIX}/queue", "Connection: close")[:-2] + extra + b"\r\n"
    answer = only(sent(box, request))
    assert answer.status in allowed
    assert "set-cookie" not in answer.headers
    if answer.status >= 400:
        assert answer.problem


TARGETS = {
    "an absolute address": (f"GET http://evil.example{PREFIX}/queue", {200, 400, 404}),
    "no path": ("GET *", {400, 404}),
    "a tunnel": ("CONNECT evil.example:443", {400, 404, 405}),
    "an unknown method": (f"BREW {PREFIX}/queue", {400, 405}),
    "a method of WebDAV": (f"PROPFIND {PREFIX}/queue", {405}),
    "trace": (f"TRACE {PREFIX}/queue", {405}),
    "NUL in the path": (f"GET {PREFIX}/evaluations/%00", {404, 422}),
    "no UTF-8 in the path": (f"GET {PREFIX}/batches/%ff%fe", {404, 422}),
    "half an escape": (f"GET {PREFIX}/batches/%zz%", {400, 404, 422}),
    "raw bytes in the path": (f"GET {PREFIX}/batches/\udcff\udcfe", {400, 404, 422}),
    "two slashes": (f"GET /{PREFIX}/queue", {404}),
    "a slash at the end": (f"GET {PREFIX}/queue/", {404}),
    "dots": (f"GET {PREFIX}/evaluations/../queue", {404, 422}),
    "a fragment": (f"GET {PREFIX}/queue#fragment", {200, 400}),
    "a path of a megabyte": (f"GET {PREFIX}/batches/{'x' * (1 << 20)}", {413, 431}),
    "100,000 parameters": (f"GET {PREFIX}/evaluations?{'a=b&' * 100_000}", {413, 431}),
    "2,000 parameters": (f"GET {PREFIX}/evaluations?{'state=x&' * 2_000}", {422}),
}


@pytest.mark.parametrize("name", TARGETS)
def test_targets_of_all_kinds(box: Standing, name: str) -> None:
    line, allowed = TARGETS[name]
    answer = only(sent(box, head(box, line, "Connection: close")))
    assert answer.status in allowed, answer
    assert "location" not in answer.headers
    if answer.status >= 400:
        assert answer.problem


@pytest.mark.parametrize("protocol", ["nonsense", "h2c", "TLS/1.3", "websocket"])
def test_upgrades_to_nonsense(box: Standing, protocol: str) -> None:
    upgrade = ("Connection: Upgrade", f"Upgrade: {protocol}")
    for path in ("/queue", "/nowhere", "/events/ws"):
        for answer in sent(box, head(box, f"GET {PREFIX}{path}", *upgrade), close=True):
            assert answer.status < 500, answer
            assert answer.status != 101


def test_requests_in_a_row_are_answered_in_order(box: Standing) -> None:
    three = [
        head(box, f"GET {PREFIX}/queue"),
        head(box, f"GET {PREFIX}/nowhere"),
        head(box, "GET /healthz"),
    ]
    found = sent(box, b"".join(three))
    assert [answer.status for answer in found] == [200, 404, 200]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:1", "[::1]", "a" * 300, "é", ""])
def test_no_host_is_believed(box: Standing, host: str) -> None:
    for path in (f"{PREFIX}/queue", f"{PREFIX}/queue/", "/docs", "/docs/"):
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        answer = only(sent(box, request.encode()))
        assert answer.status in (200, 400, 401, 404)
        assert "location" not in answer.headers
        assert not host or host.encode() not in answer.body


# names of files


TRAVERSALS = [
    "..",
    "../..",
    "../../../../../../etc/passwd",
    "%2e%2e/%2e%2e/secret.key",
    "%2e%2e%2f%2e%2e%2fsecret.key",
    "%252e%252e%252fsecret.key",
    "..%5c..%5csecret.key",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "kept/../../secret.key",
    "kept%00.txt",
    "./kept/",
    "",
    "%c0%ae%c0%ae/secret.key",
    "proc/self/environ",
]


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_name_leads_out_of_the_artifacts(box: Standing, evaluation: str, name: str) -> None:
    target = f"GET {PREFIX}/evaluations/{evaluation}/artifacts/{name}"
    answer = only(sent(box, head(box, target, "Connection: close")))
    assert answer.status in (404, 422)
    assert answer.problem
    assert b"root:" not in answer.body


RANGES = {
    "bytes=0-0": 206,
    "bytes=0-": 206,
    f"bytes={OUTPUT - 1}-": 206,
    f"bytes={OUTPUT}-": 416,
    "bytes=999999999999999999-": 416,
    "bytes=5-4": 422,
    "bytes=-5": 422,
    "bytes=0-1,5-6": 422,
    "bytes=": 422,
    "bytes=a-b": 422,
    "bytes=-": 422,
    "lines=1-2": 422,
    "bytes=" + "9" * 5000 + "-": 422,
    "bytes=0-" + "9" * 30: 422,
    "bytes=" + "0-1," * 5000: 422,
    "bytes=\N{ARABIC-INDIC DIGIT ONE}-": 422,
}


@pytest.mark.parametrize("value", RANGES, ids=lambda value: value[:30])
def test_ranges_of_all_kinds(box: Standing, evaluation: str, value: str) -> None:
    target = f"GET {PREFIX}/evaluations/{evaluation}/output"
    answer = only(sent(box, head(box, target, f"Range: {value}", "Connection: close")))
    assert answer.status == RANGES[value]
    if answer.status == 206:
        found = re.fullmatch(rf"bytes (\d+)-(\d+)/{OUTPUT}", answer.headers["content-range"])
        assert found is not None
        assert len(answer.body) == int(found[2]) - int(found[1]) + 1
    else:
        assert len(answer.body) < 2000
        assert answer.problem


# clients that vanish or dawdle


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("path", ["/evaluations", "/blobs"])
def test_a_client_that_vanishes_while_it_sends(box: Standing, path: str, size: int) -> None:
    before = queued(box)
    for framing in ("Content-Length: 4000000", "Transfer-Encoding: chunked"):
        request = head(box, f"POST {PREFIX}{path}", "Content-Type: application/json", framing)
        body = b"%x\r\n" % 4_000_000 if "chunked" in framing else b""
        with connected(box) as client:
            client.sendall(request + body + b" " * size)
            abort(client)
    assert queued(box) == before


@pytest.mark.parametrize(
    "path",
    [
        "/evaluations/{id}/output",
        "/evaluations/{id}/artifacts/kept",
        "/evaluations/{id}/output/stream",
        "/events/stream",
        "/audit",
        "/nowhere",
    ],
)
def test_a_client_that_vanishes_while_it_is_answered(
    box: Standing, evaluation: str, path: str
) -> None:
    target = PREFIX + path.replace("{id}", evaluation)
    for size in (0, 1, 5000):
        with connected(box) as client:
            client.sendall(head(box, f"GET {target}"))
            if size:
                client.recv(size)
            abort(client)


def test_a_client_that_vanishes_during_a_backup(box: Standing) -> None:
    for size in (0, 1, 10_000):
        with connected(box) as client:
            client.sendall(head(box, f"POST {PREFIX}/backup", "Content-Length: 0"))
            if size:
                client.recv(size)
            abort(client)


def test_a_client_that_vanishes_while_it_waits(box: Standing) -> None:
    with httpx.Client(base_url=box.url + PREFIX, headers=box.headers) as client:
        body = {"command": ["sleep", "inf"], "image": "any", "engine": "fake"}
        made = client.post("/evaluations", json=body).json()["id"]
        for _ in range(20):
            with connected(box) as waiting:
                waiting.sendall(head(box, f"GET {PREFIX}/evaluations/{made}?wait=60"))
                abort(waiting)
        client.post(f"/evaluations/{made}/cancel").raise_for_status()
        assert client.get(f"/evaluations/{made}", params={"wait": 10}).json()["state"] == (
            "cancelled"
        )


def test_a_body_that_does_not_come_is_not_waited_for(
    box: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_WHOLE", 0.3)
    monkeypatch.setattr(bodies, "_SILENCE", 0.3)
    monkeypatch.setattr(bodies, "_DRAIN", 0.1)
    for path in ("/evaluations", "/blobs"):
        request = head(
            box,
            f"POST {PREFIX}{path}",
            "Content-Type: application/json",
            f"Content-Length: {len(CREATE)}",
        )
        with connected(box) as client:
            client.sendall(request + CREATE[:5])
            (answer,) = answers(client)
        assert answer.problem["code"] == "invalid_input"


def test_hundreds_of_idle_connections_hold_nobody_up(box: Standing) -> None:
    idle = [socket.create_connection(("127.0.0.1", box.box.port)) for _ in range(300)]
    try:
        for number, client in enumerate(idle):
            client.sendall(head(box, f"GET {PREFIX}/queue")[: number % 90])
        start = time.monotonic()
        assert only(sent(box, head(box, f"GET {PREFIX}/queue", "Connection: close"))).status == 200
        assert time.monotonic() - start < SOON
    finally:
        for client in idle:
            client.close()
