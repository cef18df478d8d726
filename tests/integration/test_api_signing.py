"""Requests that are signed: each counts once, and only as it was signed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_support import PREFIX, Served, code, served
from recovery_support import spec
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from evalbox.domain.access import Scope, Token
from evalbox.domain.clock import Clock, ManualClock, SystemClock
from evalbox.domain.sandbox import SandboxSpec
from evalbox.domain.signing import WINDOW, authorization, sign
from evalbox.errors import Unauthenticated
from evalbox.service.remote.box import RemoteBox
from evalbox.service.remote.client import Client
from evalbox.store.keys import Keys

UNAUTHENTICATED = (401, "unauthenticated")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def box(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Served]:
    async with served(tmp_path / "box", clock=clock) as made:
        yield made


@dataclass
class Signer:
    """Sends requests, signed as told."""

    box: Served
    token: Token
    client: httpx.AsyncClient
    clock: Clock

    async def send(
        self,
        method: str,
        path: str,
        content: bytes = b"",
        *,
        signed: bytes | None = None,
        **other: Any,
    ) -> httpx.Response:
        body = hashlib.sha256(content if signed is None else signed).hexdigest()
        header = sign(
            other.get("token", self.token),
            other.get("verb", method),
            PREFIX + other.get("target", path),
            now=other.get("now", self.clock.now()),
            body=body,
        )
        return await self.show(header, method, path, content)

    async def show(
        self, header: str, method: str, path: str, content: bytes = b""
    ) -> httpx.Response:
        headers = {"Authorization": header, "Content-Type": "application/json"}
        return await self.client.request(method, path, content=content, headers=headers)


@pytest.fixture
async def signer(box: Served, clock: ManualClock) -> AsyncIterator[Signer]:
    token = Token.parse(await box.key(signing=True))
    assert token is not None
    async with box.client() as client:
        yield Signer(box, token, client, clock)


def _advance(signer: Signer, seconds: float) -> None:
    assert isinstance(signer.clock, ManualClock)
    signer.clock.advance(seconds)


async def test_a_signed_request_is_answered(signer: Signer) -> None:
    assert (await signer.send("GET", "/queue")).is_success
    assert (await signer.send("GET", "/evaluations?limit=5&name=a%20b")).is_success
    assert (await signer.send("POST", "/queue/pause")).is_success
    body = b'{"command": ["true"], "engine": "fake", "image": "i"}'
    assert (await signer.send("POST", "/evaluations", body)).status_code == 201
    entry = (await signer.box.box.audit.list())[-1]
    assert entry.actor == "key key 0"


async def test_a_key_that_signs_cannot_be_shown(signer: Signer) -> None:
    assert code(await signer.show(f"Bearer {signer.token}", "GET", "/queue")) == UNAUTHENTICATED


async def test_a_replay_is_refused(signer: Signer) -> None:
    header = sign(signer.token, "POST", f"{PREFIX}/queue/pause", now=signer.clock.now())
    assert (await signer.show(header, "POST", "/queue/pause")).is_success
    assert (await signer.send("POST", "/queue/resume")).is_success
    for seconds in (0, 1, WINDOW - 1, 1, 10_000):
        _advance(signer, seconds)
        assert code(await signer.show(header, "POST", "/queue/pause")) == UNAUTHENTICATED
    assert not (await signer.box.box.queue()).paused


async def test_a_replay_is_refused_after_a_restart_too(tmp_path: Path, clock: ManualClock) -> None:
    headers = {}
    async with served(tmp_path / "box", clock=clock) as box:
        token = Token.parse(await box.key(signing=True))
        assert token is not None
        # A clock that is ahead must not open a gap.
        for ahead in (0.0, WINDOW - 1):
            header = sign(token, "GET", f"{PREFIX}/queue", now=clock.now() + ahead)
            headers[ahead] = {"Authorization": header}
        async with box.client() as client:
            for shown in headers.values():
                assert (await client.get("/queue", headers=shown)).is_success
    async with served(tmp_path / "box", clock=clock) as box, box.client() as client:
        for shown in headers.values():
            assert code(await client.get("/queue", headers=shown)) == UNAUTHENTICATED


@pytest.mark.parametrize("off", [-WINDOW - 1, WINDOW + 1, -1e6, 1e6])
async def test_old_and_early_requests_are_refused(signer: Signer, off: float) -> None:
    now = signer.clock.now()
    assert code(await signer.send("GET", "/queue", now=now + off)) == UNAUTHENTICATED
    assert (await signer.send("GET", "/queue", now=now + off / abs(off) * WINDOW)).is_success


async def test_only_what_was_signed_is_accepted(signer: Signer) -> None:
    other = Token.parse(await signer.box.key(name="other", signing=True))
    plain = Token.parse(await signer.box.key(name="plain"))
    for changed in (
        {"verb": "GET"},
        {"target": "/queue/resume"},
        {"target": "/queue/pause?x=1"},
        {"token": Token(signer.token.key_id, other.secret if other else "", True)},
        {"token": Token("0" * 10, signer.token.secret, True)},
        {"token": plain},
        {"signed": b"something"},
    ):
        _advance(signer, 10)
        answer = await signer.send("POST", "/queue/pause", **changed)
        assert code(answer) == UNAUTHENTICATED, changed
    assert not (await signer.box.box.queue()).paused


async def test_nothing_takes_effect_before_the_body_has_been_compared(signer: Signer) -> None:
    signed = b'{"command": ["true"], "engine": "fake", "image": "i"}'
    sent = signed.replace(b"true", b"evil")
    answer = await signer.send("POST", "/evaluations", sent, signed=signed)
    assert code(answer) == UNAUTHENTICATED
    # Also where it is taken in as it comes, and where no route reads it.
    large = b"x" * 3_000_000
    answer = await signer.send("POST", "/blobs", large, signed=large[:-1])
    assert code(answer) == UNAUTHENTICATED
    assert code(await signer.send("POST", "/queue/pause", b"x", signed=b"")) == UNAUTHENTICATED
    assert (await signer.send("POST", "/blobs", large)).status_code == 201
    directory = signer.box.settings.data_dir / "blobs"
    (kept,) = [path for path in directory.rglob("*") if path.is_file()]
    assert kept.name == hashlib.sha256(large).hexdigest()
    assert (await signer.client.get("/evaluations")).status_code == 401
    status = await signer.box.box.queue()
    assert not status.paused
    assert not any(status.states.values())


async def test_revoked_and_expired_keys_sign_nothing(box: Served, clock: ManualClock) -> None:
    tokens = [
        Token.parse(await box.key(name="revoked", signing=True)),
        Token.parse(await box.key(name="expired", signing=True, expires_at=clock.now() + 5)),
    ]
    await box.box.keys.revoke("revoked")
    clock.advance(5)
    async with box.client() as client:
        for token in tokens:
            assert token is not None
            header = sign(token, "GET", f"{PREFIX}/queue", now=clock.now())
            answer = await client.get("/queue", headers={"Authorization": header})
            assert code(answer) == UNAUTHENTICATED


async def test_scopes_hold_for_signed_requests(box: Served, clock: ManualClock) -> None:
    key = await box.key(Scope.READ, signing=True)
    async with box.client() as client:
        header = authorization(key, "POST", f"{PREFIX}/queue/pause", now=clock.now())
        answer = await client.post("/queue/pause", headers={"Authorization": header})
        assert code(answer) == (403, "forbidden")


async def test_nonces_are_forgotten_when_they_are_too_old_to_matter(
    signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    store: Keys = signer.box.box._store
    for _ in range(5):
        assert (await signer.send("GET", "/queue")).is_success
        _advance(signer, WINDOW / 2 + 1)
    count = await store._read(lambda conn: conn.execute("SELECT count(*) FROM nonces").fetchone())
    assert count[0] <= 3


@pytest.mark.parametrize("signing", [False, True])
async def test_a_remote_box_uses_either_kind_of_key(tmp_path: Path, signing: bool) -> None:
    async with served(tmp_path / "box", clock=SystemClock()) as box:
        key = await box.key(signing=signing)
        file = tmp_path / "file"
        file.write_bytes(b"y" * 2_500_000)
        async with RemoteBox(Client(box.url, key=key)) as remote:
            blob, size = await remote.upload(file)
            assert (blob, size) == (hashlib.sha256(file.read_bytes()).hexdigest(), 2_500_000)
            assert await remote.upload(b"small")
            (made,) = await remote.submit([spec("true", name="n", env={"A": "secret"})])
            assert list(made.spec.env) == ["A"]
            assert (await remote.get(made.id)).id == made.id
            await remote.pause()
            assert (await remote.queue()).paused
            new, token = await remote.keys.create("new", [Scope.READ], signing=not signing)
            assert new in await remote.keys.list()
            assert (await remote.keys.revoke("new")).id == new.id
            report = await remote.audit.verify()
            assert report.sound
            assert (await remote.audit.verify(report.head)).sound
            entries = await remote.audit.list(after=0, limit=4)
            assert [entry.seq for entry in entries] == [1, 2, 3, 4]
            assert (await remote.audit.list())[-1].action == "key.revoke"
            assert entries == await box.box.audit.list(after=0, limit=4)
        async with RemoteBox(Client(box.url, key=token)) as refused:
            with pytest.raises(Unauthenticated):
                await refused.queue()


async def test_a_file_whose_body_is_another_is_not_written(tmp_path: Path) -> None:
    async with served(tmp_path / "box", work=True) as box:
        await box.box.work_begun()
        token = Token.parse(await box.key(signing=True))
        assert token is not None
        made = await box.box.sandboxes.create(SandboxSpec(image="any", engine="fake"))
        async with box.client() as client:
            signer = Signer(box, token, client, SystemClock())
            place = f"/sandboxes/{made.id}/files?path=/tmp/file"
            large = b"x" * 3_000_000
            refused = await signer.send("PUT", place, large, signed=large[1:])
            assert code(refused) == UNAUTHENTICATED
            assert code(await signer.send("GET", place)) == (404, "file_missing")
            assert (await signer.send("PUT", place, large)).is_success
            assert (await signer.send("GET", place)).content == large


async def test_websockets_are_signed_too(box: Served, clock: ManualClock) -> None:
    key = await box.key(Scope.READ, signing=True)
    address = f"ws://127.0.0.1:{box.port}{PREFIX}/feed?after=0"

    async def shake(header: str) -> None:
        shown = {"Authorization": header}
        async with connect(address, additional_headers=shown, proxy=None) as feed:
            assert await feed.recv()

    header = authorization(key, "GET", f"{PREFIX}/feed?after=0", now=clock.now())
    await box.box.pause()
    await shake(header)
    for wrong in (header, authorization(key, "GET", f"{PREFIX}/feed", now=clock.now())):
        with pytest.raises(InvalidStatus) as refused:
            await shake(wrong)
        assert refused.value.response.status_code == 401
