"""The live feed, read by real clients over real sockets."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import PREFIX, Served, code, served
from recovery_support import ended, spec, until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evalbox.api.feed.encoding import FRAMED
from evalbox.api.feed.hub import Hub
from evalbox.api.feed.ring import Selection
from evalbox.domain.access import Scope
from evalbox.host import protocol
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client

Block = dict[str, str]
#: Its events fill the buffers of the kernel soon.
LONG = spec("true", name="x" * 200, batch="y" * 200)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "box") as found:
        yield found


async def blocks(answer: httpx.Response) -> AsyncIterator[Block]:
    """Server-sent events as their fields."""
    block: Block = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            block[name] = value
        else:
            yield block
            block = {}


@asynccontextmanager
async def stream(
    client: httpx.AsyncClient, query: str = "", **headers: str
) -> AsyncIterator[AsyncIterator[Block]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.stream("GET", f"/events/stream?{query}", headers=sent) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async with aclosing(blocks(answer)) as found:
            yield found


async def seqs(found: AsyncIterator[Block], count: int) -> list[int]:
    got = []
    async with asyncio.timeout(10):
        async for block in found:
            if block.get("event") == "event":
                assert json.loads(block["data"])["seq"] == int(block["id"])
                got.append(int(block["id"]))
                if len(got) == count:
                    break
    return got


@asynccontextmanager
async def websocket(
    service: Served, query: str = "", key: str = ""
) -> AsyncIterator[ClientConnection]:
    key = key or await service.key(Scope.READ)
    url = f"ws://127.0.0.1:{service.port}{PREFIX}/feed?{query}"
    async with connect(url, additional_headers={"Authorization": f"Bearer {key}"}) as opened:
        yield opened


async def frames(opened: ClientConnection, count: int) -> list[dict[str, Any]]:
    """Events out of frames, ``count`` of them."""
    got: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(got) < count:
            frame = json.loads(await opened.recv())
            got += frame.get("events", [])
    return got


async def test_events_come_as_they_happen(service: Served) -> None:
    async with service.owner() as client, stream(client) as found:
        opening = await anext(found)
        assert opening == {"": "alive", "id": "0"}
        await service.box.submit([spec("true"), spec("false")])
        last = await service.box.last_seq()
        assert await seqs(found, last) == list(range(1, last + 1))


async def test_a_stream_resumes_behind_the_last_event_id(service: Served) -> None:
    await service.box.submit([spec("true")] * 5)
    last = await service.box.last_seq()
    async with service.owner() as client:
        async with stream(client, "after=0", last_event_id="2") as found:
            assert await seqs(found, last - 2) == list(range(3, last + 1))
        answer = await client.get("/events/stream", headers={"Last-Event-ID": b"\xb2"})
        assert code(answer) == (422, "invalid_input")


async def test_without_follow_a_stream_ends_with_what_there_is(service: Served) -> None:
    await service.box.submit([spec("true")] * 600)
    last = await service.box.last_seq()
    async with service.owner() as client, stream(client, "follow=false&after=3") as found:
        everything = [block async for block in found]
    got = [int(block["id"]) for block in everything if block.get("event") == "event"]
    assert got == list(range(4, last + 1))
    assert everything[-1] == {"event": "end", "data": '{"reason": "complete"}'}


async def test_the_last_seq(service: Served) -> None:
    async with service.owner() as client:
        assert (await client.get("/events/last")).json() == {"seq": 0}
        await service.box.submit([spec("true")])
        assert (await client.get("/events/last")).json() == {"seq": await service.box.last_seq()}


async def test_a_websocket_follows_one_evaluation_or_one_batch(tmp_path: Path) -> None:
    async with served(tmp_path / "box", work=True) as service:
        one, other = await service.box.submit([spec("true", batch="x"), spec("true", batch="y")])
        async with (
            websocket(service, f"after=0&evaluation={one.id}") as of_one,
            websocket(service, "after=0&batch=y") as of_batch,
            websocket(service, f"after=0&evaluation={one.id}&batch=y") as of_none,
        ):
            for evaluation in (one, other):
                await ended(service.box, evaluation.id)
            for opened, wanted in ((of_one, one), (of_batch, other)):
                expected = [
                    event.seq async for event in service.box.events(evaluation_id=wanted.id)
                ]
                got = await frames(opened, len(expected))
                # What ends after the evaluation has may have been told since.
                assert [event["seq"] for event in got][: len(expected)] == expected
                assert {event["evaluation_id"] for event in got} <= {wanted.id, None}
            # The two answers to its beginning, and then nothing.
            kinds = [json.loads(await of_none.recv())["type"] for _ in range(2)]
            assert kinds == ["open", "gap"]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await of_none.recv()


async def test_who_begins_early_is_told_of_the_gap_and_misses_nothing(service: Served) -> None:
    await service.box.submit([spec("true")] * 10)
    last = await service.box.last_seq()
    async with websocket(service, "after=0") as opened:
        assert json.loads(await opened.recv()) == {"type": "open", "after": 0}
        assert json.loads(await opened.recv()) == {"type": "gap", "after": 0, "to": last}
        assert [event["seq"] for event in await frames(opened, last)] == list(range(1, last + 1))
        await service.box.submit([spec("true")])
        assert [event["seq"] for event in await frames(opened, 1)] == [last + 1]


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("after=-1", "after"),
        ("after=x", "after"),
        (f"after={1 << 70}", "after"),
        ("after=1000000", "beyond the newest"),
        ("unknown=1", "no parameter"),
        ("evaluation=" + "x" * 65, "evaluation"),
    ],
)
async def test_a_bad_query_is_a_problem_before_anything_is_sent(
    service: Served, query: str, reason: str
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with websocket(service, query):
            pass
    answer = refused.value.response
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = json.loads(answer.body or b"")
    assert problem["code"] == "invalid_input"
    assert reason in problem["detail"]
    async with service.owner() as client:
        again = await client.get(f"/events/stream?{query}")
    assert code(again) == (422, "invalid_input")
    assert reason in again.json()["detail"]


async def test_a_websocket_needs_a_key_and_no_foreign_page(service: Served) -> None:
    url = f"ws://127.0.0.1:{service.port}{PREFIX}/feed"
    key = await service.key(Scope.READ)
    for headers, status in (
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Bearer {key}", "Origin": "https://elsewhere.example"}, 403),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, additional_headers=headers):
                pass
        assert refused.value.response.status_code == status
        assert json.loads(refused.value.response.body or b"")["status"] == status


@pytest.mark.parametrize(
    ("message", "close_code"),
    [
        ("no json", 1007),
        ("[" * 100_000, 1007),
        ('{"type":"subscribe"}', 1008),
        (b"binary", 1003),
        ("x" * (2 << 20), 1009),
    ],
)
async def test_what_the_feed_does_not_take_closes_it_with_a_reason(
    service: Served, caplog: pytest.LogCaptureFixture, message: str | bytes, close_code: int
) -> None:
    async with websocket(service) as opened:
        await opened.send(message)
        closed = await closing(opened)
    assert closed.rcvd is not None
    assert closed.rcvd.code == close_code
    assert closed.rcvd.reason
    assert_quiet(caplog)


async def test_text_that_is_no_utf8_closes_with_1007(
    service: Served, caplog: pytest.LogCaptureFixture
) -> None:
    async with websocket(service) as opened:
        await opened.send(b"\xff\xfe", text=True)
        closed = await closing(opened)
    assert closed.rcvd is not None
    assert closed.rcvd.code == 1007
    assert_quiet(caplog)


async def test_garbage_in_place_of_frames(
    service: Served, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    key = await service.key(Scope.READ)
    writer.write(
        f"GET {PREFIX}/feed HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer {key}\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode()
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 101")
    writer.write(b"\xff" * 64)
    async with asyncio.timeout(10):
        # A close frame with a protocol error ends what is sent.
        assert (1002).to_bytes(2, "big") in await reader.read()
    writer.close()
    assert_quiet(caplog)


async def test_a_reader_that_does_not_read_holds_nobody_up_and_misses_nothing(
    service: Served,
) -> None:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.connect(("127.0.0.1", service.port))
    key = await service.key(Scope.READ)
    slow.sendall(
        f"GET {PREFIX}/events/stream HTTP/1.1\r\nHost: box\r\n"
        f"Authorization: Bearer {key}\r\n\r\n".encode()
    )
    hub: Hub = service.application.api.state.hub
    await until(lambda: _is(hub.readers == 1))
    async with service.owner() as client, stream(client, "after=0") as quick:
        for _ in range(6):
            await service.box.submit([LONG] * 2500)
        last = await service.box.last_seq()
        assert await seqs(quick, last) == list(range(1, last + 1))
        assert hub.readers == 2
        received = await asyncio.to_thread(_received, slow, f'"seq":{last},'.encode())
    slow.close()
    assert b"event: gap" in received
    got = [int(part.split(b"\n", 1)[0]) for part in received.split(b"\nid: ")[1:]]
    opening, rest = got[0], sorted(set(got[1:]))
    assert opening == 0
    assert rest == list(range(1, last + 1))
    assert got[1:] == rest


def _received(slow: socket.socket, mark: bytes) -> bytes:
    """All that comes until ``mark``, without the lines between HTTP's chunks."""
    slow.settimeout(20)
    raw = bytearray()
    while mark not in raw[-100_000:]:
        data = slow.recv(1 << 20)
        assert data
        raw += data
    _, _, body = bytes(raw).partition(b"\r\n\r\n")
    found = bytearray(b"\n")
    while body:
        size, _, body = body.partition(b"\r\n")
        found += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return bytes(found)


async def _is(truth: bool) -> bool:
    return truth


async def test_a_reader_that_never_reads_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)
    async with served(tmp_path / "box") as service:
        hub: Hub = service.application.api.state.hub
        with unread(service, await service.key(Scope.READ)):
            await until(lambda: _is(hub.readers == 1))
            while hub.readers:
                await service.box.submit([LONG] * 1000)


def unread(service: Served, key: str) -> socket.socket:
    """A connection whose answer is left where it is."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", service.port))
    made.sendall(
        f"GET {PREFIX}/events/stream HTTP/1.1\r\nHost: box\r\n"
        f"Authorization: Bearer {key}\r\n\r\n".encode()
    )
    return made


async def test_every_stream_ends_when_the_service_stops(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path / "box") as service:
        owner = service.owner()
        sse = stream(owner)
        found = await sse.__aenter__()
        await anext(found)
        key = await service.key(Scope.READ)
        opened = await connect(
            f"ws://127.0.0.1:{service.port}{PREFIX}/feed",
            additional_headers={"Authorization": f"Bearer {key}"},
        )
        await opened.recv()
        began = time.monotonic()
        rest = asyncio.create_task(_all(found))
        closed = asyncio.create_task(closing(opened))
    assert time.monotonic() - began < 2
    assert await rest == [{"event": "end", "data": '{"reason": "stopping"}'}]
    assert (await closed).rcvd is not None
    assert (await closed).rcvd.code == 1001  # type: ignore[union-attr]
    await sse.__aexit__(None, None, None)
    await owner.aclose()
    assert_quiet(caplog)


async def test_a_reader_that_does_not_read_does_not_keep_the_service_from_stopping(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(tmp_path / "box") as service:
        hub: Hub = service.application.api.state.hub
        stuck = unread(service, await service.key(Scope.READ))
        await until(lambda: _is(hub.readers == 1))
        for _ in range(6):
            await service.box.submit([LONG] * 2500)
        began = time.monotonic()
    assert time.monotonic() - began < 10
    stuck.close()
    assert_quiet(caplog)


async def test_a_reader_goes_on_after_the_service_was_started_anew(tmp_path: Path) -> None:
    got: list[int] = []
    for number in range(3):
        async with served(tmp_path / "box") as service:
            after = got[-1] if got else 0
            async with websocket(service, f"after={after}") as opened:
                await service.box.submit([spec("true")] * (number + 1))
                last = await service.box.last_seq()
                got += [event["seq"] for event in await frames(opened, last - after)]
    assert got == list(range(1, got[-1] + 1))


async def test_the_remote_box_follows(service: Served) -> None:
    client = Client(service.url, key=await service.key(Scope.READ))
    async with RemoteBox(client) as remote:
        await service.box.submit([spec("true")] * 3)
        assert await remote.last_seq() == await service.box.last_seq()
        assert [event.seq async for event in remote.events()] == [
            event.seq async for event in service.box.events()
        ]
        async with aclosing(remote.events(after=1, follow=True)) as events:
            assert (await anext(events)).seq == 2


async def test_a_silent_stream_shows_that_it_lives(service: Served) -> None:
    hub = Hub(service.box, beat=0.02)
    await hub.start()
    try:
        async with (
            hub.reading(Selection(), None) as reader,
            aclosing(reader.chunks(_Beating())) as chunks,
        ):
            assert [await anext(chunks) for _ in range(3)] == ["open 0", "alive 0", "alive 0"]
    finally:
        await hub.stop()


class _Beating(type(FRAMED)):  # type: ignore[misc]
    def opened(self, position: int) -> str:
        return f"open {position}"

    def alive(self, position: int) -> str:
        return f"alive {position}"


async def test_the_log_is_read_once_for_all(
    service: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    original = service.box._store.events

    async def counted(*args: Any, **options: Any) -> Any:
        nonlocal reads
        reads += 1
        return await original(*args, **options)

    monkeypatch.setattr(service.box._store, "events", counted)
    hub: Hub = service.application.api.state.hub
    async with service.owner() as client:
        opened = [stream(client) for _ in range(40)]
        found = [await one.__aenter__() for one in opened]
        assert hub.readers == 40
        reads = 0
        await service.box.submit([spec("true")] * 20)
        for one in found:
            await seqs(one, 20)
        assert reads < 10
        for one in opened:
            await one.__aexit__(None, None, None)
    await until(lambda: _is(hub.readers == 0))


async def _all(found: AsyncIterator[Block]) -> list[Block]:
    return [block async for block in found]


async def closing(opened: ClientConnection) -> ConnectionClosed:
    async with asyncio.timeout(10):
        while True:
            try:
                await opened.recv()
            except ConnectionClosed as closed:
                return closed


def assert_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was logged as an error, and no traceback."""
    told = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not told, [record.getMessage() for record in told]
    assert not any(record.exc_info for record in caplog.records)
