"""How many requests a key may make, and an address without one."""

from __future__ import annotations

import ipaddress
import math

from starlette.datastructures import MutableHeaders

from evalbox.api.buckets import Buckets, Taken
from evalbox.config.settings import Settings
from evalbox.domain.access import Principal
from evalbox.domain.clock import Clock
from evalbox.errors import RateLimited

#: What one address may ask without a valid key: a second, and at once.
UNKNOWN_RATE, UNKNOWN_BURST = 5.0, 50
#: Who has one address of these has them all.
_IPV6_NETWORK = 64


class Throttle:
    """The owner, on the socket, is not held up."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._known = Buckets(settings.rate_limit, settings.rate_burst, clock)
        self._unknown = Buckets(UNKNOWN_RATE, UNKNOWN_BURST, clock)
        # Apart: behind a proxy, who guesses keys shares an address with who asks how it stands.
        self._refused = Buckets(UNKNOWN_RATE, UNKNOWN_BURST, clock)

    def take(self, principal: Principal | None, address: str) -> Taken | None:
        """Counts a request; None where that is not done. Raises ``RateLimited``."""
        if principal is None:
            taken = self._unknown.take(_neighbourhood(address))
        elif principal.key_id is None:
            return None
        else:
            taken = self._known.take(principal.key_id)
        return _allowed(taken)

    def refuse(self, address: str) -> None:
        """Counts a request without a valid key. Raises ``RateLimited``."""
        _allowed(self._refused.take(_neighbourhood(address)))

    def tell(self, headers: MutableHeaders, taken: Taken) -> None:
        """As in draft-ietf-httpapi-ratelimit-headers."""
        known = self._known
        window = math.ceil(known.burst / known.rate)
        headers["RateLimit-Policy"] = f'"key";q={known.burst};w={window}'
        headers["RateLimit"] = f'"key";r={taken.left};t={math.ceil(1 / known.rate)}'


def _allowed(taken: Taken) -> Taken:
    if not taken.allowed:
        raise RateLimited(
            "too many requests", hint="wait as Retry-After says", retry_after=taken.wait
        )
    return taken


def _neighbourhood(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False))
