"""The one way to the Docker engine: calls through docker-py in a bounded pool of threads.

docker-py is imported by the first call, in a thread: its import takes 190 ms.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from evalbox.engines.docker.faults import translated, unreachable
from evalbox.engines.docker.wire import Address, Connection, Request, connect
from evalbox.errors import EngineUnavailable

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

#: Seconds that the engine may be silent within one call. Starting a sandbox on an overloaded
#: machine takes some.
CALL_TIMEOUT = 90


class Client:
    """At most ``threads`` calls run at once; more wait in line. Long-lived streams need none."""

    def __init__(self, address: Address, threads: int) -> None:
        self.address = address
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="docker")
        self._lock = threading.Lock()
        self._api: APIClient | None = None
        self._closed = False

    async def call(self, function: Callable[[Any], T]) -> T:
        """The result of ``function``, which gets docker-py's ``APIClient``, in a thread.

        Raises the errors of ``faults``. A call that is cancelled still runs to its end.
        """
        if self._closed:
            raise EngineUnavailable("the engine has been closed")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, function)

    async def open(self, request: Request) -> Connection:
        """A connection that stays open. Raises the errors of ``faults``."""
        api = self._api
        version = api.api_version if api else await self.call(lambda api: api.api_version)
        return await connect(self.address, str(version), request)

    @asynccontextmanager
    async def opened(self, request: Request) -> AsyncIterator[Connection]:
        """``open`` for the length of a block."""
        connection = await self.open(request)
        try:
            yield connection
        finally:
            connection.close()

    async def ask(self, request: Request) -> Any:
        """The answer to a request that may take as long as a sandbox lives; no thread waits."""
        async with self.opened(request) as connection:
            answer = b"".join([piece async for piece in connection.pieces()])
        try:
            return json.loads(answer)
        except ValueError as error:
            raise unreachable(ConnectionError("it hung up before it answered")) from error

    def close(self) -> None:
        """Lets go of threads and connections; calls under way end by themselves."""
        self._closed = True
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._api is not None:
            self._api.close()

    def _run(self, function: Callable[[Any], T]) -> T:
        from docker.errors import DockerException
        from requests.exceptions import RequestException
        from urllib3.exceptions import HTTPError

        try:
            return function(self._connected())
        except (DockerException, RequestException, HTTPError, OSError) as error:
            raise translated(error) from error

    def _connected(self) -> APIClient:
        with self._lock:
            if self._api is None:
                from docker import APIClient

                # docker-py leaks a socket for every attempt that fails.
                self.address.try_to_connect()
                self._api = APIClient(
                    base_url=self.address.url,
                    version="auto",
                    timeout=CALL_TIMEOUT,
                    max_pool_size=self._threads,
                )
            return self._api
