"""Sandboxes over the API, on a real port and a real socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import PREFIX, Served, code, served
from recovery_support import until
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evalbox.domain.access import Scope
from evalbox.domain.sandbox import MAX_FILE, ExecSpec, SandboxFilter, SandboxSpec
from evalbox.errors import Forbidden, SandboxNotFound, ServiceUnreachable, Unauthenticated
from evalbox.host.sockets import NAME
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client

STARTED = {"type": "started"}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path, work=True) as made:
        yield made


@asynccontextmanager
async def user(box: Served, *scopes: Scope) -> AsyncIterator[httpx.AsyncClient]:
    async with box.client(await box.key(*scopes or (Scope.SUBMIT,))) as client:
        yield client


@asynccontextmanager
async def socket(box: Served, reference: str, key: str = "") -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{box.port}{PREFIX}/sandboxes/{reference}/exec"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with connect(url, additional_headers=headers, proxy=None) as connection:
        yield connection


async def heard(connection: ClientConnection) -> list[Any]:
    """Every message until the end; text is read as JSON."""
    found: list[Any] = []
    while True:
        try:
            message = await connection.recv()
        except ConnectionClosed:
            return found
        found.append(message if isinstance(message, bytes) else json.loads(message))


async def test_from_its_creation_to_its_removal(box: Served):
    async with user(box) as client:
        answer = await client.post(
            "/sandboxes",
            json={"name": "x", "labels": {"a": "b"}, "env": {"T": "hunter2"}, "idle_timeout": 60},
        )
        made = answer.json()
        assert answer.status_code == 201
        assert answer.headers["location"] == f"{PREFIX}/sandboxes/{made['id']}"
        assert (made["state"], made["env"]) == ("running", ["T"])
        assert "hunter2" not in answer.text
        listed = (await client.get("/sandboxes", params={"label": "a=b"})).json()
        assert [one["id"] for one in listed["items"]] == [made["id"]]
        assert (await client.get("/sandboxes", params={"label": "a=c"})).json()["items"] == []
        assert code(await client.post("/sandboxes", json={"name": "x"})) == (409, "conflict")
        kept = await client.post("/sandboxes/x/keepalive", json={"lifetime": 600})
        assert kept.json()["deadline"] < made["deadline"]
        for _ in range(2):
            assert (await client.delete(f"/sandboxes/{made['id']}")).status_code == 204
        gone = (await client.get(f"/sandboxes/{made['id']}")).json()
        assert (gone["state"], gone["end"]) == ("ended", "removed")
        again = await client.post(f"/sandboxes/{made['id']}/exec", json={"command": ["true"]})
        assert code(again) == (404, "sandbox_not_found")
        assert (await client.get("/sandboxes")).json() == {"items": [], "next": None}


async def test_pages(box: Served):
    async with user(box) as client:
        for _ in range(3):
            await client.post("/sandboxes", json={"limits": {"cpus": 0.1}})
        first = (await client.get("/sandboxes", params={"limit": 2})).json()
        rest = (await client.get("/sandboxes", params={"cursor": first["next"]})).json()
        assert len({one["id"] for one in [*first["items"], *rest["items"]]}) == 3


async def test_running_a_program(box: Served):
    async with user(box) as client:
        await client.post("/sandboxes", json={"name": "x", "env": {"A": "b"}})
        answer = await client.post(
            "/sandboxes/x/exec",
            json={"command": ["cat", ";", "env", "A", ";", "error", "e", ";", "exit", "3"],
                  "stdin_base64": base64.b64encode(b"\xff\x00").decode()},
        )  # fmt: skip
        done = answer.json()
        assert (done["exit_code"], done["timed_out"], done["stderr"]) == (3, False, "e\n")
        assert done["stdout_encoding"] == "base64"
        assert base64.b64decode(done["stdout"]) == b"\xff\x00b\n"
        flood = {"command": ["print", "5000"], "max_output": 100}
        done = (await client.post("/sandboxes/x/exec", json=flood)).json()
        assert (done["stdout"], done["stdout_truncated"]) == ("x" * 100, True)
        slow = {"command": ["sleep", "inf"], "timeout": 0.2}
        done = (await client.post("/sandboxes/x/exec", json=slow)).json()
        assert (done["timed_out"], done["exit_code"]) == (True, 137)


async def test_a_program_as_server_sent_events(box: Served):
    async with user(box) as client:
        await client.post("/sandboxes", json={"name": "x"})
        body = {"command": ["cat", ";", "exit", "4"], "stdin": "hello"}
        text = (await client.post("/sandboxes/x/exec/stream", json=body)).text
        frames = [part.splitlines() for part in text.strip().split("\n\n")]
        events = [(lines[0][7:], json.loads(lines[1][6:])) for lines in frames if len(lines) == 2]
        (kind, piece), (last, end) = events
        assert (kind, piece["stream"], base64.b64decode(piece["data"])) == (
            "output",
            "stdout",
            b"hello",
        )
        assert (last, end["exit_code"]) == ("exit", 4)


async def test_a_client_that_leaves_a_stream_ends_its_program(box: Served):
    async with user(box) as client:
        await client.post("/sandboxes", json={"name": "x"})
        body = {"command": ["echo", "on", ";", "sleep", "inf"]}
        async with client.stream("POST", "/sandboxes/x/exec/stream", json=body) as answer:
            async for line in answer.aiter_lines():
                if line == "event: output":
                    break
        await until(lambda: nothing_runs(box))


async def nothing_runs(box: Served) -> bool:
    """Whether no program runs in any sandbox."""
    scheduler = box.box._worker.scheduler  # type: ignore[union-attr]
    return all(one._beside.count == 0 for one in scheduler.residents._all.values())


async def test_talking_to_a_program(box: Served):
    key = await box.key(Scope.SUBMIT)
    await box.box.sandboxes.create(SandboxSpec(name="x"))
    async with socket(box, "x", key) as connection:
        await connection.send(json.dumps({"command": ["cat", ";", "error", "e", ";", "exit", "5"]}))
        assert json.loads(await connection.recv()) == STARTED
        await connection.send(b"some")
        await connection.send(b" input")
        await connection.send('{"type": "eof"}')
        said = await heard(connection)
    output = b"".join(item[1:] for item in said if isinstance(item, bytes) and item[0] == 1)
    assert output == b"some input"
    assert b"\x02e\n" in said
    assert {"type": "taken", "bytes": 10} in said
    assert said[-1]["type"] == "exit"
    assert said[-1]["exit_code"] == 5
    assert connection.close_code == 1000


async def test_killing_and_leaving(box: Served):
    key = await box.key(Scope.SUBMIT)
    await box.box.sandboxes.create(SandboxSpec(name="x"))
    async with socket(box, "x", key) as connection:
        await connection.send(json.dumps({"command": ["sleep", "inf"], "tty": True}))
        assert json.loads(await connection.recv()) == STARTED
        await connection.send('{"type": "resize", "rows": 30, "cols": 100}')
        await connection.send('{"type": "kill"}')
        assert (await heard(connection))[-1]["exit_code"] == 137
    async with socket(box, "x", key) as connection:
        await connection.send(json.dumps({"command": ["sleep", "inf"]}))
        assert json.loads(await connection.recv()) == STARTED
        connection.transport.abort()
    await until(lambda: nothing_runs(box))


@pytest.mark.parametrize(
    "first",
    [
        "no json", "[]", "{}", '{"command": []}', '{"command": ["a\\u0000"]}', b"binary",
        "[" * 5000,
        '{"command": ["true"], "unknown": 1}', '{"command": ["true"], "rows": 0}',
        '{"command": ["true"], "timeout": 1e9}', '{"command": ["true"], "workdir": "rel"}',
    ],
)  # fmt: skip
async def test_a_first_message_that_cannot_be(box: Served, first: str | bytes):
    key = await box.key(Scope.SUBMIT)
    await box.box.sandboxes.create(SandboxSpec(name="x"))
    async with socket(box, "x", key) as connection:
        await connection.send(first)
        (said,) = await heard(connection)
        assert (said["type"], said["problem"]["code"]) == ("error", "invalid_input")
        assert connection.close_code == 1008


@pytest.mark.parametrize(
    "message",
    ["no json", '{"type": "dance"}', '{"type": "resize", "rows": -1, "cols": 5}', "[]",
     '{"type": "resize", "rows": "1", "cols": 5}', bytes(1 << 20)],
)  # fmt: skip
async def test_a_later_message_that_cannot_be(box: Served, message: str | bytes):
    key = await box.key(Scope.SUBMIT)
    await box.box.sandboxes.create(SandboxSpec(name="x"))
    async with socket(box, "x", key) as connection:
        await connection.send(json.dumps({"command": ["sleep", "inf"]}))
        assert json.loads(await connection.recv()) == STARTED
        if isinstance(message, bytes):
            for _ in range(3):
                await connection.send(message)
            # The fake program takes all at once; then there is nothing to complain of.
            await connection.send("x")
        else:
            await connection.send(message)
        said = await heard(connection)
        assert said[-1]["problem"]["code"] == "invalid_input"
    await until(lambda: nothing_runs(box))


async def test_who_may(box: Served):
    await box.box.sandboxes.create(SandboxSpec(name="x"))
    reader, stranger = await box.key(Scope.READ), "evb_x"
    async with box.client(reader) as client:
        assert (await client.get("/sandboxes")).status_code == 200
        assert (await client.get("/sandboxes/x")).status_code == 200
        place = {"path": "/etc/passwd"}
        for answer in (
            await client.post("/sandboxes", json={}),
            await client.delete("/sandboxes/x"),
            await client.post("/sandboxes/x/exec", json={"command": ["true"]}),
            await client.post("/sandboxes/x/exec/stream", json={"command": ["true"]}),
            await client.post("/sandboxes/x/keepalive", json={}),
            await client.get("/sandboxes/x/files", params=place),
            await client.put("/sandboxes/x/files", params=place, content=b"x"),
            await client.get("/sandboxes/x/directory", params=place),
        ):
            assert code(answer) == (403, "forbidden")
    for key, status in ((reader, 403), (stranger, 401), ("", 401)):
        with pytest.raises(InvalidStatus) as refused:
            async with socket(box, "x", key):
                pass
        assert refused.value.response.status_code == status
    with pytest.raises(InvalidStatus) as refused:
        async with socket(box, "nobody", await box.key(Scope.SUBMIT)):
            pass
    assert refused.value.response.status_code == 404
    assert json.loads(bytes(refused.value.response.body))["code"] == "sandbox_not_found"


BAD = [
    {"unknown": 1}, {"name": ""}, {"name": 5}, {"lifetime": 0}, {"lifetime": "60"}, {"user": 0},
    {"lifetime": 1e9}, {"limits": {"memory": 1}}, {"limits": {"timeout": 5}}, {"network": "all"},
    {"env": {"A": 1}}, {"env": {"": "x"}}, {"workdir": "x"}, {"engine": "docker"}, [], "x", None,
    {"idle_timeout": -1}, {"labels": {"a": "\x00"}}, {"limits": {"cpus": True}},
]  # fmt: skip


@pytest.mark.parametrize("body", BAD)
async def test_bad_sandboxes(box: Served, body: Any):
    async with user(box) as client:
        assert code(await client.post("/sandboxes", json=body)) == (422, "invalid_input")
        assert (await client.get("/sandboxes", params={"ended": True})).json()["items"] == []


@pytest.mark.parametrize(
    "body",
    [
        {}, {"command": "ls"}, {"command": []}, {"command": [""]}, {"command": ["a\x00"]},
        {"command": ["ls"], "stdin": "a", "stdin_base64": "YQ=="}, {"command": ["ls"], "tty": True},
        {"command": ["ls"], "stdin_base64": "*"}, {"command": ["ls"], "timeout": 0},
        {"command": ["ls"], "max_output": -1}, {"command": ["ls"], "max_output": 1 << 30},
        {"command": ["x" * 200_000]}, {"command": ["ls"], "workdir": "x"},
    ],
)  # fmt: skip
async def test_bad_programs(box: Served, body: Any):
    async with user(box) as client:
        await client.post("/sandboxes", json={"name": "x"})
        for path in ("exec", "exec/stream"):
            answer = await client.post(f"/sandboxes/x/{path}", json=body)
            assert code(answer) == (422, "invalid_input")


async def test_files(box: Served):
    content = bytes(range(256)) * 1000
    async with user(box) as client:
        await client.post("/sandboxes", json={"name": "x"})
        for path in ("/home/agent/a b/ü\n", "/home/agent/-x"):
            where = {"path": path, "mode": "755"}
            put = await client.put("/sandboxes/x/files", params=where, content=content)
            assert put.status_code == 204
            got = await client.get("/sandboxes/x/files", params={"path": path})
            assert (got.status_code, got.content) == (200, content)
        listed = await client.get("/sandboxes/x/directory", params={"path": "/home/agent"})
        assert [(one["name"], one["kind"]) for one in listed.json()] == [
            ("-x", "file"),
            ("a b", "directory"),
        ]
        for path, wanted in {
            "/home/agent/no": (404, "file_missing"),
            "/home/agent/a b": (422, "invalid_input"),
            "no/slash": (422, "invalid_input"),
            "/a\0b": (422, "invalid_input"),
            "": (422, "invalid_input"),
        }.items():
            assert code(await client.get("/sandboxes/x/files", params={"path": path})) == wanted
        for wrong in ({"mode": "9"}, {"mode": "rwx"}, {"unknown": "x"}):
            where = {"path": "/f"} | wrong
            answer = await client.put("/sandboxes/x/files", params=where, content=b"")
            assert code(answer) == (422, "invalid_input")


async def put(box: Served, key: str, size: int, sent: bytes) -> str:
    """Announces an upload of ``size`` bytes, sends some and hangs up; the answer's first line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", box.port)
    head = (
        f"PUT {PREFIX}/sandboxes/x/files?path=/f HTTP/1.1\r\nHost: box\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {size}\r\n\r\n"
    )
    writer.write(head.encode() + sent)
    await writer.drain()
    writer.write_eof()
    line = await reader.readline()
    writer.close()
    return line.decode()


async def test_a_file_that_is_too_large(box: Served):
    key = await box.key(Scope.SUBMIT)

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1 << 20)

    async with box.client(key) as client:
        await client.post("/sandboxes", json={"name": "x"})
        assert " 413 " in await put(box, key, MAX_FILE + 1, b"x")
        try:
            sent = await client.put("/sandboxes/x/files?path=/f", content=endless())
        except (httpx.WriteError, httpx.ReadError):
            pass
        else:
            assert code(sent) == (413, "too_large")
        missing = await client.get("/sandboxes/x/files?path=/f")
        assert code(missing) == (404, "file_missing")


async def test_an_upload_that_breaks_off_changes_nothing(box: Served):
    key = await box.key(Scope.SUBMIT)
    async with box.client(key) as client:
        await client.post("/sandboxes", json={"name": "x"})
        await client.put("/sandboxes/x/files?path=/f", content=b"before")
        await put(box, key, 100, b"half")
        await until(lambda: nothing_runs(box))
        got = await client.get("/sandboxes/x/files?path=/f")
        assert got.content == b"before"


async def test_no_room_is_said_with_when_to_come_again(tmp_path: Path):
    async with served(tmp_path, work=True, sandboxes=1) as box, user(box) as client:
        assert (await client.post("/sandboxes", json={})).status_code == 201
        refused = await client.post("/sandboxes", json={})
        assert code(refused) == (503, "busy")
        assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize("way", ["tcp", "signed", "socket"])
async def test_the_same_from_elsewhere(box: Served, way: str):
    if way == "socket":
        client = Client("http://box", socket=str(box.settings.data_dir / NAME))
    else:
        client = Client(box.url, key=await box.key(Scope.SUBMIT, signing=way == "signed"))
    async with RemoteBox(client) as remote:
        spec = SandboxSpec(name="x", env={"A": "b"}, labels={"k": "v"}, idle_timeout=60)
        made = await remote.sandboxes.create(spec)
        assert made.spec.labels == {"k": "v"}
        assert [
            one.id for one in await remote.sandboxes.list(SandboxFilter(labels={"k": "v"}))
        ] == [made.id]
        run = ExecSpec(("env", "A", ";", "cat", ";", "error", "e", ";", "exit", "6"))
        report = await remote.sandboxes.run("x", run, b"\xffin")
        assert (report.stdout, report.stderr) == (b"b\n\xffin", b"e\n")
        assert report.end.exit_code == 6

        async def content() -> AsyncIterator[bytes]:
            yield b"one"
            yield b"two"

        await remote.sandboxes.write("x", "/home/agent/ü/f", content(), mode=0o600)
        pieces = [data async for data in remote.sandboxes.read("x", "/home/agent/ü/f")]
        assert b"".join(pieces) == b"onetwo"
        (entry,) = await remote.sandboxes.entries("x", "/home/agent/ü")
        assert (entry.name, entry.size) == ("f", 6)
        kept = await remote.sandboxes.keep("x", 100)
        assert kept.deadline < made.deadline
        running = await remote.sandboxes.exec("x", ExecSpec(("cat",), stdin=True))
        sent = bytes(5 << 20)

        async def feed() -> None:
            await running.write(sent)
            await running.close_stdin()

        feeding = asyncio.create_task(feed())
        size = 0
        async for piece in running.output():
            size += len(piece.data)
        await feeding
        assert size == len(sent)
        assert (await running.wait()).exit_code == 0
        await running.close()
        killed = await remote.sandboxes.exec("x", ExecSpec(("sleep", "inf")))
        await killed.kill()
        assert (await killed.wait()).exit_code == 137
        await killed.close()
        left = await remote.sandboxes.exec("x", ExecSpec(("sleep", "inf")))
        await left.close()
        await until(lambda: nothing_runs(box))
        await remote.sandboxes.remove("x")
        with pytest.raises(SandboxNotFound):
            await remote.sandboxes.exec("x", ExecSpec(("true",)))
        with pytest.raises(SandboxNotFound):
            await remote.sandboxes.run("x", ExecSpec(("true",)))


async def test_refusals_come_back_as_themselves(box: Served):
    await box.box.sandboxes.create(SandboxSpec(name="x"))
    reader = await box.key(Scope.READ)
    for key, error in ((reader, Forbidden), ("", Unauthenticated)):
        async with RemoteBox(Client(box.url, key=key)) as remote:
            with pytest.raises(error):
                await remote.sandboxes.exec("x", ExecSpec(("true",)))
    async with RemoteBox(Client("http://127.0.0.1:9", key=reader)) as remote:
        with pytest.raises(ServiceUnreachable):
            await remote.sandboxes.exec("x", ExecSpec(("true",)))
