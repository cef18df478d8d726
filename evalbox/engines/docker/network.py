"""What a sandbox's network is to the engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from evalbox.domain.evaluation import Network
from evalbox.engines.docker.client import Client

if TYPE_CHECKING:
    from docker import APIClient

NAME = "evalbox"


class Networks:
    """Makes the bridge network for sandboxes that may reach the world, when one is first needed.

    Sandboxes on it do not reach each other.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._there = False
        self._lock = asyncio.Lock()

    async def options(self, network: Network) -> dict[str, Any]:
        """The host options of docker-py for ``network``."""
        if network is Network.NONE:
            return {"network_mode": "none"}
        async with self._lock:
            if not self._there:
                await self._client.call(_ensure)
                self._there = True
        return {"network_mode": NAME}


def _ensure(api: APIClient) -> None:
    if any(item["Name"] == NAME for item in api.networks(names=[NAME])):
        return
    api.create_network(
        NAME,
        driver="bridge",
        check_duplicate=True,
        options={"com.docker.network.bridge.enable_icc": "false"},
        labels={"evalbox": "network"},
    )
