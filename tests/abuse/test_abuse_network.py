"""Jobs that connect to what they should not: row 9."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest
import traces
from aftermath import Aftermath

from evalbox.domain.evaluation import Network
from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
BEYOND = (
    "tcp:1.1.1.1:53", "tcp:169.254.169.254:80", "udp:8.8.8.8:53", "udp:127.0.0.11:53",
    "name:example.com", "name:host.docker.internal", "raw", "packet",
)  # fmt: skip


@dataclass(slots=True)
class Service:
    """Listens where a service of the host would, and counts who comes."""

    port: int = 0
    name: str = field(default_factory=lambda: f"evalbox-abuse-{secrets.token_hex(4)}")
    visitors: int = 0

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visitors += 1
        writer.write(b"welcome")
        writer.close()


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Service]:
    service = Service()
    tcp = await asyncio.start_server(service.met, address, 0)
    service.port = tcp.sockets[0].getsockname()[1]
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + service.name)
    unix = await asyncio.start_unix_server(service.met, sock=abstract)
    async with tcp, unix:
        yield service


def host_addresses() -> list[str]:
    found = psutil.net_if_addrs().values()
    return [item.address for group in found for item in group if item.family == socket.AF_INET]


def ways_to_us(aftermath: Aftermath) -> list[str]:
    """Where our own data and sockets are on the host, as paths."""
    places = [aftermath.data_dir, aftermath.data_dir / "evalbox.db", traces.docker_root()]
    sockets = [str(path) for path in aftermath.data_dir.iterdir() if path.is_socket()]
    return [
        *(f"path:{place}" for place in places),
        *(f"unix:{place}" for place in (*DOCKER_SOCKETS, *sockets)),
        f"path:/proc/{os.getpid()}/root",
    ]


async def reach(aftermath: Aftermath, targets: list[str], network: Network) -> dict[str, Any]:
    ordeal = await aftermath.run("reach.py", *targets, network=network, timeout=12.0)
    assert ordeal.outcome is Outcome.OK, ordeal
    found: dict[str, Any] = json.loads(ordeal.stdout)
    return found


async def test_row_9_without_a_network(aftermath: Aftermath) -> None:
    async with listening("0.0.0.0") as service:
        targets = [
            *BEYOND,
            *(f"tcp:{address}:{service.port}" for address in host_addresses()),
            f"abstract:{service.name}",
            *ways_to_us(aftermath),
        ]
        found = await reach(aftermath, targets, Network.NONE)
        assert found.pop("interfaces") == ["lo"]
        for target, answer in found.items():
            assert not answer["reached"], (target, answer)
            assert answer["took"] < 0.5, (target, answer)
        assert service.visitors == 0


async def test_row_9_with_the_internet(aftermath: Aftermath) -> None:
    """What it may reach beyond, docs/security.md says; never our files, nor what is local."""
    async with listening("127.0.0.1") as service:
        targets = [
            "raw",
            "packet",
            *(f"tcp:{address}:{service.port}" for address in host_addresses()),
            f"abstract:{service.name}",
            *ways_to_us(aftermath),
        ]
        found = await reach(aftermath, targets, Network.INTERNET)
        assert set(found.pop("interfaces")) == {"lo", "eth0"}
        for target, answer in found.items():
            assert not answer["reached"], (target, answer)
        assert service.visitors == 0
