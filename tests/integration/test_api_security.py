"""Who may use the API, and what it lets nobody do. Real uvicorn, real sockets."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_support import PREFIX, Served, code, served
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from evalbox.api.app import _ROUTERS
from evalbox.api.auth import requires
from evalbox.api.throttle import UNKNOWN_BURST
from evalbox.domain.access import Scope, Token
from evalbox.domain.clock import ManualClock, SystemClock
from evalbox.host import protocol
from evalbox.wire.access import AuditEntryDocument

ROUTES = [route for router in _ROUTERS for route in router.routes]
ID = "0" * 22


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def box(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Served]:
    async with served(tmp_path / "box", clock=clock) as made:
        yield made


async def raw(box: Served, *pieces: bytes) -> bytes:
    """What comes back for bytes that are sent as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", box.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def problem_in(answer: bytes) -> tuple[int, dict[str, Any]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    return int(head.split()[1]), json.loads(body)


def filled(path: str) -> str:
    for name in ("{id}", "{key}", "{name}", "{path:path}"):
        path = path.replace(name, ID)
    return path.replace("{number}", "1")


async def refusals(box: Served) -> list[AuditEntryDocument]:
    async with box.owner() as owner:
        entries = (await owner.get("/audit", params={"limit": 1000})).json()["items"]
    return [entry for entry in entries if entry["action"] == "access.refuse"]


# who may


def test_every_route_names_the_scope_it_needs() -> None:
    assert len(ROUTES) > 20
    for route in ROUTES:
        assert isinstance(route, APIRoute | APIWebSocketRoute)
        calls = [dependency.call for dependency in route.dependant.dependencies]
        scopes = [call.scope for call in calls if hasattr(call, "scope")]
        assert len(scopes) == 1, f"{route.path} names {scopes}"
        if isinstance(route, APIRoute) and route.methods != {"GET"}:
            looks_only = route.path.endswith(("/ping", "/stream"))
            assert looks_only or scopes[0] is not Scope.READ, route.path


def test_no_request_waits_for_a_thread() -> None:
    def plain(dependant: Dependant) -> list[str]:
        own = [] if inspect.iscoroutinefunction(dependant.call) else [str(dependant.call)]
        return own + [name for inner in dependant.dependencies for name in plain(inner)]

    for route in ROUTES:
        assert isinstance(route, APIRoute | APIWebSocketRoute)
        dependant = route.dependant
        found = [
            name
            for inner in dependant.dependencies
            for name in plain(inner)
            # A class whose call is a coroutine.
            if "_Documented" not in name
        ]
        assert inspect.iscoroutinefunction(dependant.call)
        assert not found, f"{route.path}: {found}"


def test_what_reads_its_body_itself_says_how_much_it_takes() -> None:
    found = 0
    for route in ROUTES:
        source = inspect.getsource(route.endpoint)  # type: ignore[attr-defined]
        if "arriving(" in source or ".stream()" in source:
            found += 1
            assert getattr(route.endpoint, "evalbox_upload_limit", 0)  # type: ignore[attr-defined]
    assert found >= 2


async def test_no_route_answers_without_a_key(box: Served, clock: ManualClock) -> None:
    async with box.client() as client:
        for route in ROUTES:
            if not isinstance(route, APIRoute):
                continue
            for method in route.methods:
                # Else the address would be throttled in the end.
                clock.advance(10)
                answer = await client.request(method, filled(route.path))
                assert code(answer) == (401, "unauthenticated"), route.path
        # Nobody learns which paths there are.
        assert code(await client.get("/nothing")) == (401, "unauthenticated")


async def test_every_key_that_gives_no_right_gets_the_same_answer(
    box: Served, clock: ManualClock
) -> None:
    good = await box.key(Scope.READ)
    revoked = await box.key(Scope.ADMIN, name="revoked")
    await box.box.keys.revoke("revoked")
    expired = await box.key(Scope.ADMIN, expires_at=clock.now() + 5)
    signing = await box.key(Scope.ADMIN, signing=True)
    clock.advance(6)
    token = Token.parse(good)
    assert token is not None
    headers: list[list[tuple[str, str]]] = [
        [],
        [("Authorization", f"Bearer {revoked}")],
        [("Authorization", f"Bearer {expired}")],
        [("Authorization", f"Bearer {signing}")],
        [("Authorization", f"Bearer {Token(token.key_id, 'A' * 43)}")],
        [("Authorization", f"Bearer {Token('0' * 10, token.secret)}")],
        [("Authorization", f"Bearer {good}x")],
        [("Authorization", "Bearer")],
        [("Authorization", good)],
        [("Authorization", f"Basic {good}")],
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {good}")],
        [("Authorization", "Bearer \xff".encode("latin-1").decode("latin-1"))],
        [("X-API-Key", good)],
        [("Cookie", f"key={good}")],
    ]
    answers = []
    async with box.client() as client:
        for given in headers:
            clock.advance(10)
            encoded = [(name, value.encode("latin-1")) for name, value in given]
            answer = await client.get("/queue", headers=encoded)  # type: ignore[arg-type]
            assert answer.headers["www-authenticate"] == 'Bearer realm="evalbox"'
            answers.append(answer.json() | {"request_id": ""})
        assert (await client.get(f"/queue?key={good}")).status_code == 401
        assert (await client.get("/queue", headers={"Authorization": f"bearer {good}"})).is_success
    assert answers[0]["status"] == 401
    assert all(answer == answers[0] for answer in answers)


NEEDS = [
    ("GET", "/queue", Scope.READ),
    ("GET", f"/evaluations/{ID}", Scope.READ),
    ("POST", "/evaluations", Scope.SUBMIT),
    ("POST", "/evaluations/cancel", Scope.SUBMIT),
    ("DELETE", f"/evaluations/{ID}", Scope.SUBMIT),
    ("POST", "/blobs", Scope.SUBMIT),
    ("POST", "/queue/pause", Scope.ADMIN),
    ("PATCH", "/queue", Scope.ADMIN),
    ("POST", "/backup", Scope.ADMIN),
    ("GET", "/keys", Scope.ADMIN),
    ("POST", "/keys", Scope.ADMIN),
    ("GET", "/audit", Scope.ADMIN),
    ("GET", "/audit/verify", Scope.ADMIN),
]


@pytest.mark.parametrize("scope", Scope)
async def test_a_key_may_what_its_scope_says(box: Served, scope: Scope) -> None:
    async with box.client(await box.key(scope)) as client:
        for method, path, needed in NEEDS:
            answer = await client.request(method, path)
            if scope.includes(needed):
                assert answer.status_code not in (401, 403), path
            else:
                assert code(answer) == (403, "forbidden"), path
                assert needed in answer.json()["detail"]


async def test_the_socket_needs_no_key(box: Served) -> None:
    async with box.owner() as owner:
        assert (await owner.post("/queue/pause")).is_success
        # Whatever key is shown there: who may open it owns the box.
        shown = {"Authorization": "Bearer nonsense"}
        assert (await owner.get("/keys", headers=shown)).is_success
    assert (box.settings.data_dir / "evalbox.sock").stat().st_mode & 0o777 == 0o600
    assert (await box.box.audit.list())[-1].source == "socket"


async def test_a_revoked_key_is_refused_from_the_next_request_on(box: Served) -> None:
    async with box.owner() as owner, box.client(await box.key(name="ci")) as client:
        assert (await client.get("/queue")).is_success
        assert (await owner.post("/keys/ci/revoke")).json()["revoked_at"]
        assert code(await client.get("/queue")) == (401, "unauthenticated")


async def read_out(feed: ClientConnection) -> None:
    async for _ in feed:
        pass


async def test_streams_end_with_the_key_they_were_opened_with(tmp_path: Path) -> None:
    async with served(tmp_path / "box") as box:
        now = SystemClock().now()
        keys = [
            await box.key(Scope.READ, name="revoked"),
            await box.key(Scope.READ, name="expired", expires_at=now + 1.5),
        ]
        for key in keys:
            shown = {"Authorization": f"Bearer {key}"}
            address = f"ws://127.0.0.1:{box.port}{PREFIX}/feed"
            async with (
                box.client(key) as client,
                client.stream("GET", "/events/stream") as stream,
                connect(address, additional_headers=shown, proxy=None) as feed,
            ):
                assert stream.is_success
                pieces = stream.aiter_bytes()
                assert await anext(pieces)
                if key is keys[0]:
                    await box.box.keys.revoke("revoked")
                async with asyncio.timeout(10):
                    async for _ in pieces:
                        pass
                    with pytest.raises(ConnectionClosed):
                        await read_out(feed)
                assert feed.close_code == 1008
                assert code(await client.get("/queue")) == (401, "unauthenticated")


async def test_a_key_can_revoke_itself(box: Served) -> None:
    async with box.client(await box.key(name="own")) as client:
        assert (await client.post("/keys/own/revoke")).json()["revoked_at"]
        assert code(await client.get("/queue")) == (401, "unauthenticated")


async def test_keys_over_the_api(box: Served) -> None:
    async with box.owner() as owner:
        body = {"name": "ci", "scopes": ["read"], "expires_at": "2999-01-01T00:00:00Z"}
        made = (await owner.post("/keys", json=body)).json()
        assert made["token"].startswith(f"evb_{made['id']}_")
        (listed,) = (await owner.get("/keys")).json()
        assert listed == {name: made[name] for name in made if name != "token"}
        assert code(await owner.post("/keys", json=body)) == (409, "conflict")
        assert code(await owner.post("/keys/nobody/revoke")) == (404, "key_not_found")
        for wrong in (
            body | {"scopes": []},
            body | {"scopes": ["root"]},
            body | {"name": ""},
            body | {"expires_at": "yesterday"},
            body | {"name": "y", "expires_at": "2001-01-01T00:00:00Z"},
            body | {"unknown": 1},
        ):
            assert code(await owner.post("/keys", json=wrong)) == (422, "invalid_input")
        assert made["token"] not in (await owner.get("/audit")).text


async def test_the_use_of_a_key_is_written_down_once_a_minute(
    box: Served, clock: ManualClock
) -> None:
    async with box.client(await box.key(Scope.READ)) as client:
        used = []
        for seconds in (0, 30, 29, 2):
            clock.advance(seconds)
            assert (await client.get("/queue")).is_success
            used.append((await box.box.keys.list())[0].last_used_at)
    start = clock.now() - 61
    assert used == [start, start, start, start + 61]


async def test_what_a_key_does_is_in_the_audit_log_under_its_name(box: Served) -> None:
    async with box.client(await box.key(name="ci")) as client:
        answer = await client.post("/queue/pause", headers={"X-Request-ID": "request-7"})
        assert answer.headers["X-Request-ID"] == "request-7"
    entry = (await box.box.audit.list())[-1]
    assert (entry.actor, entry.source, entry.request_id) == ("key ci", "127.0.0.1", "request-7")
    assert entry.action == "queue.pause"


async def test_refusals_are_audited_within_bounds(box: Served, clock: ManualClock) -> None:
    async with box.client("evb_nonsense") as client:
        for _ in range(UNKNOWN_BURST):
            assert (await client.get("/queue")).status_code == 401
    async with box.client(await box.key(Scope.READ, name="ci")) as client:
        for _ in range(5):
            assert (await client.post("/queue/pause")).status_code == 403
    assert [(entry["actor"], entry["result"]) for entry in await refusals(box)] == [
        ("unknown", "unauthenticated"),
        ("key ci", "forbidden"),
    ]
    clock.advance(61)
    async with box.client("evb_nonsense") as client:
        assert (await client.post("/queue/pause")).status_code == 401
    assert (await refusals(box))[-1]["target"] == f"POST {PREFIX}/queue/pause"
    assert (await box.box.audit.verify()).sound


# how much


async def test_failed_authentication_is_throttled(box: Served, clock: ManualClock) -> None:
    good = await box.key(Scope.READ)
    async with box.client("evb_nonsense") as client:
        answers = [await client.get("/queue") for _ in range(UNKNOWN_BURST + 3)]
        assert [answer.status_code for answer in answers] == [401] * UNKNOWN_BURST + [429] * 3
        assert code(answers[-1]) == (429, "rate_limited")
        assert int(answers[-1].headers["Retry-After"]) >= 1
        # Who asks how the service stands is not held up by that, nor is who has a key.
        async with box.client() as nobody:
            assert (await nobody.get(f"{box.url}/healthz")).is_success
            assert (await nobody.get(f"{box.url}/readyz")).status_code == 503
        shown = {"Authorization": f"Bearer {good}"}
        assert (await client.get("/queue", headers=shown)).is_success
        clock.advance(1)
        assert (await client.get("/queue")).status_code == 401


async def test_nobody_in_particular_has_a_rate_too(box: Served) -> None:
    async with box.client() as nobody:
        answers = [await nobody.get(f"{box.url}/readyz") for _ in range(UNKNOWN_BURST + 2)]
        assert [answer.status_code for answer in answers[-3:]] == [503, 429, 429]
        assert "ratelimit" not in answers[0].headers
        # That the service lives is told whoever asks, however often.
        alive = [await nobody.get(f"{box.url}/healthz") for _ in range(UNKNOWN_BURST + 2)]
        assert all(answer.is_success for answer in alive)


async def test_a_key_has_a_rate(tmp_path: Path, clock: ManualClock) -> None:
    async with served(tmp_path / "box", clock=clock, rate_limit=2.0, rate_burst=4) as box:
        one, other = await box.key(Scope.READ), await box.key(Scope.READ)
        async with box.client(one) as client:
            answers = [await client.get("/queue") for _ in range(6)]
            assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 2
            left = [answer.headers["RateLimit"] for answer in answers[:4]]
            assert left == [f'"key";r={count};t=1' for count in (3, 2, 1, 0)]
            assert answers[0].headers["RateLimit-Policy"] == '"key";q=4;w=2'
            assert answers[-1].json()["retry_after"] == 0.5
            assert answers[-1].headers["Retry-After"] == "1"
            clock.advance(0.5)
            assert [(await client.get("/queue")).status_code for _ in range(2)] == [200, 429]
        async with box.client(other) as client:
            assert (await client.get("/queue")).is_success
        async with box.owner() as owner:
            assert all([(await owner.get("/queue")).is_success for _ in range(20)])


async def test_bodies_are_bounded(box: Served) -> None:
    key = await box.key()
    async with box.client(key) as client:
        large = b'{"name": "' + b"x" * (4 << 20) + b'"}'
        answer = await client.post("/evaluations", content=large)
        assert code(answer) == (413, "too_large")

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(50):
                yield b"x" * 100_000

        # Without a length that is told, it is counted.
        assert code(await client.post("/evaluations", content=pieces())) == (413, "too_large")
        assert code(await client.post("/queue/pause", content=pieces())) == (413, "too_large")
    assert not (await box.box.queue()).paused


async def test_uploads_are_refused_by_their_length_before_they_come(box: Served) -> None:
    head = (
        f"POST {PREFIX}/blobs HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer {await box.key()}\r\n"
        f"Content-Length: {2 << 30}\r\nExpect: 100-continue\r\n\r\n"
    )
    status, problem = problem_in(await raw(box, head.encode()))
    assert (status, problem["code"]) == (413, "too_large")


async def test_a_client_that_vanishes_leaves_nothing(box: Served) -> None:
    key = await box.key()
    body = b'{"command": ["true"], "engine": "fake"}'
    for path in ("/evaluations", "/blobs"):
        for length, sent in ((len(body) + 1, body), (len(body), body[:5]), (10, b"")):
            head = (
                f"POST {PREFIX}{path} HTTP/1.1\r\nHost: box\r\nAuthorization: Bearer {key}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
            )
            _, writer = await asyncio.open_connection("127.0.0.1", box.port)
            writer.write(head.encode() + sent)
            await writer.drain()
            writer.close()
            await writer.wait_closed()
    async with box.client(key) as client:
        assert (await client.get("/evaluations")).json()["items"] == []
    assert not [path for path in (box.settings.data_dir / "blobs").rglob("*") if path.is_file()]


async def test_heads_are_bounded(box: Served) -> None:
    async with box.client(await box.key()) as client:
        many = {f"X-Header-{number}": "x" for number in range(101)}
        assert code(await client.get("/queue", headers=many)) == (413, "too_large")
        large = {"X-Header": "x" * (40 << 10)}
        assert code(await client.get("/queue", headers=large)) == (413, "too_large")
        assert code(await client.get("/queue", params={"x": "y" * (20 << 10)})) == (
            413,
            "too_large",
        )


async def test_a_head_without_end_is_cut_off(box: Served) -> None:
    start = b"GET / HTTP/1.1\r\nHost: box\r\nX-Header: "
    status, problem = problem_in(await raw(box, start, *[b"x" * 11_000] * 6))
    assert (status, problem["code"]) == (431, "too_large")


async def test_a_head_that_does_not_come_is_not_waited_for(
    box: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
    for start in (b"", b"GET / HTTP/1.1\r\nHost:"):
        assert problem_in(await raw(box, start))[0] == 408


@pytest.mark.parametrize(
    "junk",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100],
)
async def test_what_is_not_http_gets_a_problem(box: Served, junk: bytes) -> None:
    status, problem = problem_in(await raw(box, junk))
    assert (status, problem["code"]) == (400, "invalid_input")


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"\x80", 422),
        (b"[" * 100_000, 422),
        (b"null", 422),
        (b'{"command": "true"}', 422),
        (b'{"command": ["true"], "unknown": 1}', 422),
        (b'{"command": ["true"], "limits": {"memory": "1g"}}', 422),
        (b'{"command": ["true"], "limits": {"memory": 0}}', 422),
        (b'{"command": ["true"], "limits": {"timeout": 1e999}}', 422),
        (b'{"command": ["tr\\u0000ue"], "engine": "fake"}', 422),
    ],
)
async def test_bodies_that_make_no_sense(box: Served, content: bytes, status: int) -> None:
    async with box.client(await box.key()) as client:
        json_type = {"Content-Type": "application/json"}
        answer = await client.post("/evaluations", content=content, headers=json_type)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "Traceback" not in answer.text
    assert not (await box.box.queue()).states["queued"]  # type: ignore[index]


# what is told


async def test_secrets_are_told_to_nobody(box: Served) -> None:
    marker = "marker-of-a-secret"
    async with box.client(await box.key()) as client:
        body = {"command": ["true"], "engine": "fake", "image": "i", "env": {"TOKEN": marker}}
        made = await client.post("/evaluations", json=body)
        assert made.json()["env"] == ["TOKEN"]
        identifier = made.json()["id"]
        # Mistakes are told without what was mistaken.
        wrong = await client.post("/evaluations", json=body | {"env": {"TOKEN": [marker]}})
        assert wrong.status_code == 422
        texts = [made.text, wrong.text]
        for path in (
            "/evaluations",
            f"/evaluations/{identifier}",
            f"/evaluations/{identifier}/events",
            f"/evaluations/{identifier}/explanation",
            "/events",
            "/audit",
        ):
            answer = await client.get(path)
            assert answer.is_success
            texts.append(answer.text)
    assert not [text for text in texts if marker in text]
    files = [path for path in box.settings.data_dir.rglob("*") if path.is_file()]
    assert not [path for path in files if marker.encode() in path.read_bytes()]


async def test_answers_tell_browsers_to_do_nothing_with_them(box: Served) -> None:
    async with box.client() as client:
        for answer in (await client.get("/queue"), await client.get(f"{box.url}/healthz")):
            headers = answer.headers
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["X-Frame-Options"] == "DENY"
            assert headers["Cache-Control"] == "no-store"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "server" not in headers
            assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "name",
    ["../../secret.key", "..%2f..%2fsecret.key", "%2e%2e/secret.key", "/etc/passwd", "a%00b"],
)
async def test_no_path_leads_out_of_the_artifacts(box: Served, name: str) -> None:
    async with box.client(await box.key()) as client:
        body = {"command": ["true"], "engine": "fake", "image": "i"}
        made = (await client.post("/evaluations", json=body)).json()
        target = f"{PREFIX}/evaluations/{made['id']}/artifacts/{name}"
        head = f"GET {target} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {await box.key()}\r\n"
        status, problem = problem_in(await raw(box, f"{head}Connection: close\r\n\r\n".encode()))
    assert status in (404, 422)
    assert problem["code"] in ("artifact_not_found", "not_found", "invalid_input")


# browsers


async def test_pages_of_other_sites_change_nothing(box: Served) -> None:
    key = await box.key()
    foreign: list[dict[str, str]] = [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1.evil.example:{box.port}"},
        {"Origin": f"http://127.0.0.1:{box.port + 1}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    async with box.client(key) as client, box.owner() as owner:
        for headers in foreign:
            assert code(await client.post("/queue/pause", headers=headers)) == (403, "forbidden")
            assert (await owner.post("/queue/pause", headers=headers)).status_code == 403
        assert not (await box.box.queue()).paused
        own = {"Origin": box.url, "Sec-Fetch-Site": "same-origin"}
        assert (await client.post("/queue/pause", headers=own)).is_success


async def test_there_is_no_cors(box: Served) -> None:
    async with box.client(await box.key()) as client:
        preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
        for answer in (
            await client.options("/queue/pause", headers=preflight),
            await client.get("/queue", headers={"Origin": "http://evil.example"}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


# websockets


@pytest.fixture
async def echo(box: Served) -> str:
    """The address of a WebSocket that needs a key of scope submit."""

    async def endpoint(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("hello")
        await websocket.close()

    box.application.api.add_api_websocket_route(
        "/api/echo", endpoint, dependencies=[requires(Scope.SUBMIT)]
    )
    return f"ws://127.0.0.1:{box.port}/api/echo"


async def shake(address: str, **headers: str) -> str:
    async with connect(address, additional_headers=headers, proxy=None) as socket:
        return str(await socket.recv())


async def test_websockets_need_a_key_too(box: Served, echo: str) -> None:
    good, weak = await box.key(Scope.SUBMIT), await box.key(Scope.READ)
    assert await shake(echo, Authorization=f"Bearer {good}") == "hello"
    refused: list[tuple[int, dict[str, str]]] = [
        (401, {}),
        (401, {"Authorization": "Bearer nonsense"}),
        (403, {"Authorization": f"Bearer {weak}"}),
        (403, {"Authorization": f"Bearer {good}", "Origin": "http://evil.example"}),
    ]
    for status, headers in refused:
        with pytest.raises(InvalidStatus) as caught:
            await shake(echo, **headers)
        assert caught.value.response.status_code == status
        assert json.loads(caught.value.response.body or b"{}")["status"] == status
    assert await shake(echo, Authorization=f"Bearer {good}", Origin=box.url) == "hello"


def test_the_names_of_clients_do_not_pass_for_users() -> None:
    from evalbox.api.guard import _actor
    from evalbox.domain.access import Principal

    principal = Principal("root", frozenset(Scope), "id", "192.0.2.1")
    assert _actor(principal, {}).name == "key root"


async def test_logs_tell_no_key(box: Served) -> None:
    import io

    from evalbox.telemetry import logs

    stream = io.StringIO()
    logs.configure(level="debug", form="json", stream=stream)
    try:
        good = await box.key(Scope.READ)
        async with box.client(good) as client:
            await client.get("/queue")
            await client.post("/queue/pause")
            await client.get(f"/evaluations/{ID}?x={good[:-1]}x")
        wrong = str(Token.new())
        async with box.client(wrong) as client:
            await client.get("/queue")
    finally:
        logs.close()
    assert "refused" in stream.getvalue()
    for text in (good, wrong):
        assert text not in stream.getvalue()
        assert text.split("_", 2)[2] not in stream.getvalue()
