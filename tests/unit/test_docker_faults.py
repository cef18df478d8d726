"""What refusals and silences of the engine mean, and where it is looked for."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import Refused, refusal, unreachable
from evalbox.engines.docker.wire import Address, Request, connect
from evalbox.engines.spawn import host_environment, spawned
from evalbox.errors import (
    EngineError,
    EngineUnavailable,
    EvalboxError,
    ImageNotFound,
    InvalidInput,
    SandboxGone,
)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (404, "No such container: x", SandboxGone),
        (404, "No such exec instance: x", SandboxGone),
        (404, "No such image: x:latest", ImageNotFound),
        (400, "Unknown runtime specified evalbox-gvisor", EngineUnavailable),
        (500, "OCI runtime start failed: cannot run with network enabled", EngineUnavailable),
        (500, "write /x: no space left on device", Refused),
        (409, "Container x is not running", Refused),
        (400, 'OCI runtime create failed: exec: "/bin/sh": exec format error', InvalidInput),
        (404, "Could not find the file /images/x in container abc", Refused),
        (404, "pull access denied for x, it may be no public image", ImageNotFound),
    ],
)
def test_refusals(status: int, message: str, kind: type[EvalboxError]) -> None:
    error = refusal(status, message)
    assert type(error) is kind
    assert message in error.message
    if kind is EngineUnavailable:
        assert "quickstart" in error.hint


def test_silence_is_told_by_its_cause() -> None:
    outer = RuntimeError("Connection aborted")
    outer.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert "does not answer: Connection refused" in unreachable(outer).message
    assert "group docker" in unreachable(PermissionError(13, "Permission denied")).hint


@pytest.mark.parametrize("url", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1"])
async def test_no_engine_is_unavailable(url: str) -> None:
    address = Address.parse(url)
    client = Client(address, 1)
    try:
        with pytest.raises(EngineUnavailable, match="does not answer") as caught:
            await client.call(lambda api: api.ping())
        assert "start it" in caught.value.hint
        with pytest.raises(EngineUnavailable):
            await connect(address, "1.41", Request("GET", "/info"))
    finally:
        client.close()


async def test_an_engine_that_hangs_up_is_unavailable(tmp_path: Path) -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    path = tmp_path / "s"
    async with await asyncio.start_unix_server(hang_up, path):
        with pytest.raises(EngineUnavailable):
            await connect(Address.parse(f"unix://{path}"), "1.41", Request("GET", "/info"))


async def test_the_wire_translates_refusals(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"No such container: x"}\n')
        writer.close()

    path = tmp_path / "s"
    async with await asyncio.start_unix_server(refuse, path):
        with pytest.raises(SandboxGone):
            await connect(Address.parse(f"unix://{path}"), "1.41", Request("GET", "/x"))


def test_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert Address.parse(None).path == "/var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://engine.example:2376")
    assert (Address.parse(None).host, Address.parse(None).port) == ("engine.example", 2376)
    for url in ("ssh://host", "npipe:////./pipe/docker", "nonsense"):
        with pytest.raises(EngineUnavailable, match="cannot use"):
            Address.parse(url)


def test_docker_py_is_imported_late() -> None:
    code = "import sys, evalbox.engines.docker; sys.exit('docker' in sys.modules)"
    import subprocess

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_programs_get_the_users_library_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/bundle")
    assert host_environment()["LD_LIBRARY_PATH"] == "/bundle"
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert "LD_LIBRARY_PATH" not in host_environment()
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/own")
    assert host_environment()["LD_LIBRARY_PATH"] == "/own"


async def test_a_program_ends_with_its_block(tmp_path: Path) -> None:
    mark = tmp_path / "tidy"
    tidy = f"trap 'echo >{mark}; exit 0' TERM; echo; while :; do sleep 0.01; done"
    async with spawned(["sh", "-c", tidy], grace=10) as process:
        assert process.stdout
        await process.stdout.readline()
    assert process.returncode == 0
    assert mark.exists()
    async with spawned(["sleep", "100"]) as process:
        pass
    assert process.returncode == -9


def test_errors_keep_their_code() -> None:
    assert Refused("x", status=500).code == EngineError.code
