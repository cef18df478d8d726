"""The yardstick: a bare loop over the Engine API that makes, starts, awaits and removes.

It keeps no record, reads no output and sets the same limits, so it is as fast as the engine lets
anybody be who works one sandbox a thread at a time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evalbox.domain.limits import Limits


class BareLoop:
    def __init__(
        self, image: str, command: Sequence[str], *, runtime: str, docker_host: str = ""
    ) -> None:
        self._image = image
        self._command = list(command)
        self._runtime = runtime
        self._docker_host = docker_host or None
        self._local = threading.local()

    def run(self, jobs: int, threads: int) -> float:
        """Seconds that ``jobs`` sandboxes take, ``threads`` at once."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda _: self._client().version(), range(threads)))
            began = time.perf_counter()
            list(pool.map(lambda _: self._job(), range(jobs)))
            return time.perf_counter() - began

    def _client(self) -> Any:
        import docker

        if not hasattr(self._local, "client"):
            self._local.client = docker.APIClient(base_url=self._docker_host)
        return self._local.client

    def _job(self) -> None:
        client, limits = self._client(), Limits()
        host = client.create_host_config(
            network_mode="none",
            runtime=self._runtime,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=limits.memory,
            memswap_limit=limits.memory,
            nano_cpus=int(limits.cpus * 1e9),
        )
        made = client.create_container(
            self._image, self._command, user="1000:1000", host_config=host
        )
        try:
            client.start(made["Id"])
            status = client.wait(made["Id"])["StatusCode"]
        finally:
            client.remove_container(made["Id"], force=True)
        if status != 0:
            raise RuntimeError(f"the bare loop's job ended with status {status}")
