"""The only module that talks to docker-py: calls in a bounded pool of threads, errors translated.

docker-py is imported by the first call, in a thread: its import takes 190 ms.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from evalbox.errors import EngineError, EngineUnavailable, ImageNotFound, SandboxGone

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")

DEFAULT_HOST = "unix:///var/run/docker.sock"
#: Seconds that the engine may be silent in one call. Starting a sandbox on a machine that is
#: overloaded takes some.
CALL_TIMEOUT = 90
RUNTIME_REMEDY = "install gVisor and register its runtimes: packaging/quickstart.sh does both"
_RUNTIME_SIGNS = (
    "unknown runtime", "unknown or invalid runtime", "invalid runtime name",
    "runtime specified", "failed to create shim", "oci runtime create failed",
    "failed to create task", "runsc", "cannot run with network enabled",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Address:
    """Where the engine listens: the ``path`` of a Unix socket, or ``host`` and ``port``."""

    url: str
    path: str = ""
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, url: str | None) -> Address:
        """``url`` None is DOCKER_HOST of the environment, else the socket of the system."""
        text = url or os.environ.get("DOCKER_HOST") or DEFAULT_HOST
        parts = urlsplit(text)
        if parts.scheme == "unix" and parts.path:
            return cls(text, path=parts.netloc + parts.path)
        if parts.scheme == "tcp" and parts.hostname:
            return cls(text, host=parts.hostname, port=parts.port or 2375)
        raise EngineUnavailable(
            f"Docker host {text!r} is of a kind that evalbox cannot use",
            hint="set DOCKER_HOST to unix:///var/run/docker.sock or tcp://HOST:PORT",
        )


class Client:
    """docker-py's low-level client, off the event loop.

    At most ``threads`` calls run at once; more wait in line.
    """

    def __init__(self, address: Address, threads: int) -> None:
        self.address = address
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="docker")
        self._lock = threading.Lock()
        self._api: APIClient | None = None
        self._threads = threads

    async def call(self, function: Callable[[APIClient], T]) -> T:
        """The result of ``function``, which gets the client, in a thread.

        Raises the errors of ``translated``. A cancelled call still runs to its end.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._run, function)

    async def version(self) -> str:
        """The version of the API that client and engine agreed on, such as ``1.41``."""
        return await self.call(lambda api: str(api.api_version))

    def close(self) -> None:
        """Lets go of threads and connections; calls under way end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._api is not None:
            self._api.close()

    def _run(self, function: Callable[[APIClient], T]) -> T:
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

                self._api = APIClient(
                    base_url=self.address.url,
                    version="auto",
                    timeout=CALL_TIMEOUT,
                    num_pools=self._threads,
                )
            return self._api


def translated(error: Exception) -> EngineError | ImageNotFound:
    """What an error of docker-py, requests or urllib3 means to evalbox."""
    from docker.errors import APIError

    if isinstance(error, APIError) and error.response is not None:
        return api_error(error.response.status_code, str(error.explanation or error))
    return unreachable(error)


def api_error(status: int, message: str) -> EngineError | ImageNotFound:
    """What a refusal of the engine means: HTTP ``status`` and the engine's ``message``."""
    said = message.lower()
    if status == 404 and "no such container" in said:
        return SandboxGone(f"the sandbox exists no longer: {message}")
    if status == 404 and "no such exec" in said:
        return SandboxGone(f"the sandbox has ended: {message}")
    if status == 404 and "image" in said:
        return ImageNotFound(message, hint="list what is there: evalbox images list")
    if "no space left on device" in said:
        return EngineError(message, hint="free disk space where Docker keeps its data")
    if '"/bin/sh"' in said:
        return EngineError(
            f"the image has no /bin/sh: {message}", hint="use an image with a POSIX shell"
        )
    if any(sign in said for sign in _RUNTIME_SIGNS):
        return EngineUnavailable(f"the runtime does not start: {message}", hint=RUNTIME_REMEDY)
    return EngineError(f"the container engine refused: {message} (HTTP {status})")


def unreachable(error: BaseException) -> EngineUnavailable:
    """Nothing answers, or no more."""
    reason = str(error) or type(error).__name__
    if "Permission denied" in reason or isinstance(error, PermissionError):
        return EngineUnavailable(
            "this user may not talk to the Docker engine",
            hint="add the user to the group docker and log in again, or run evalbox as root",
        )
    return EngineUnavailable(
        f"the Docker engine does not answer: {reason}",
        hint="start it (systemctl start docker), or set DOCKER_HOST to where it listens",
    )
