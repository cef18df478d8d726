"""Posts to receivers of webhooks, and to nobody that they may not be.

A host is resolved here, and the connection made to the address that was looked at: what the name
stands for a moment later changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from evalbox import __version__
from evalbox.domain.webhook import Address, Answer, check_address, check_url
from evalbox.errors import EvalboxError, InvalidInput, ServiceUnreachable

#: Seconds for everything, from the name to the end of the answer.
TIMEOUT = 10.0
#: Bytes of an answer that are read; what they are does not matter.
_READ = 1024
_PORTS = {"http": 80, "https": 443}


class Poster:
    """``private``: addresses that are not of the public internet may be posted to.

    To make one blocks for some tens of milliseconds, for the certificates of the world.
    """

    def __init__(self, *, private: bool, timeout: float = TIMEOUT) -> None:
        self._private = private
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            headers={"User-Agent": f"evalbox/{__version__}"},
            follow_redirects=False,
            trust_env=False,
            timeout=httpx.Timeout(timeout),
            verify=ssl.create_default_context(),
            # Connections are not used again: two hosts of one address are two hosts.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises nothing: whatever goes wrong is the answer."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(url, body, headers)
        except TimeoutError:
            return Answer(None, f"no answer within {self._timeout:g} s")
        except EvalboxError as error:
            return Answer(None, error.message)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Answer(None, str(error) or type(error).__name__)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        check_url(url, private=self._private)
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = await self._address(host, parts.port or _PORTS[parts.scheme])
        where = f"[{address}]" if address.version == 6 else str(address)
        target = parts._replace(
            netloc=where if parts.port is None else f"{where}:{parts.port}", fragment=""
        )
        async with self._http.stream(
            "POST",
            target.geturl(),
            content=body,
            headers={**headers, "Host": parts.netloc, "Content-Type": "application/json"},
            # The certificate must be the host's, whose address stands in the URL.
            extensions={"sni_hostname": host},
        ) as answer:
            read = 0
            async for data in answer.aiter_raw():
                read += len(data)
                if read >= _READ:
                    break
            error = "" if answer.is_success else f"answered {answer.status_code}"
            return Answer(answer.status_code, error)

    async def _address(self, host: str, port: int) -> Address:
        """The first address of a host that may be posted to. Raises ``InvalidInput``."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise ServiceUnreachable(f"{host} has no address: {error}") from error
        refused: InvalidInput | None = None
        for entry in found:
            address = ipaddress.ip_address(str(entry[4][0]).partition("%")[0])
            try:
                check_address(address, private=self._private)
            except InvalidInput as error:
                refused = error
            else:
                return address
        raise refused or ServiceUnreachable(f"{host} has no address")

    async def close(self) -> None:
        await self._http.aclose()
