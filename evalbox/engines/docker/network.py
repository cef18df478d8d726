"""What a sandbox's network is to the engine."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from evalbox.domain.evaluation import Network
from evalbox.engines.docker.client import Client
from evalbox.engines.docker.faults import CONFLICT

NAME = "evalbox"

#: Where a host says which name servers there are; the first is the true list where systemd
#: stands in between.
_RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))


class Networks:
    """The bridge network of the sandboxes that may reach the world; they do not reach each other.

    ``local``: whether the engine runs on this host.
    """

    def __init__(self, client: Client, *, gvisor: bool, local: bool) -> None:
        self._client = client
        self._own_resolver = gvisor and local
        self._lock = asyncio.Lock()

    async def options(self, network: Network) -> dict[str, Any]:
        """The host options of docker-py for ``network``."""
        if network is Network.NONE:
            # Else the engine puts in the host's own name servers and domains, and programs ask.
            return {"network_mode": "none", "dns": ["127.0.0.1"], "dns_search": ["."]}
        async with self._lock:
            await self._client.call(_ensure)
        options: dict[str, Any] = {"network_mode": NAME}
        # gVisor's own network stack does not reach Docker's name server on the loopback, which is
        # the only one that a network other than the default one gets.
        if self._own_resolver and (resolver := await asyncio.to_thread(_resolver)):
            options["binds"] = [f"{resolver}:/etc/resolv.conf:ro"]
        return options


def _ensure(api: Any) -> None:
    if any(item["Name"] == NAME for item in api.networks(names=[NAME])):
        return
    try:
        api.create_network(
            NAME,
            driver="bridge",
            check_duplicate=True,
            options={"com.docker.network.bridge.enable_icc": "false"},
            labels={"evalbox": "network"},
        )
    except Exception as error:
        if getattr(error, "status_code", None) != CONFLICT:
            raise


def _resolver() -> Path | None:
    """A file of the host with a name server that can be reached from elsewhere."""
    for path in _RESOLVERS:
        with suppress(OSError):
            words = [line.split() for line in path.read_text().splitlines()]
            if any(
                _reachable(word[1]) for word in words if word[:1] == ["nameserver"] and word[1:]
            ):
                return path
    return None


def _reachable(server: str) -> bool:
    try:
        return not ip_address(server.partition("%")[0]).is_loopback
    except ValueError:
        return False
