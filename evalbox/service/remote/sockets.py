"""WebSockets to a box: by TCP, or by the Unix socket of a data directory of this machine."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidStatus, WebSocketException

from evalbox.domain.clock import SystemClock
from evalbox.domain.signing import authorization
from evalbox.errors import EvalboxError, ServiceError, ServiceUnreachable
from evalbox.service.remote.client import PREFIX, Dial, verification
from evalbox.wire.problem import error_from

_CONNECT = 10.0
#: Bytes of one message of a box.
_MAX_MESSAGE = 4 << 20


async def open_socket(dial: Dial, path: str) -> ClientConnection:
    """Raises what the box raised, and ``ServiceUnreachable``."""
    parts = urlsplit(dial.url)
    target = f"{parts.path.rstrip('/')}{PREFIX}{path}"
    headers = {}
    if dial.key:
        now = SystemClock().now()
        headers["Authorization"] = authorization(dial.key, "GET", target, now=now)
    secure = parts.scheme == "https"
    uri = f"{'wss' if secure else 'ws'}://{parts.netloc}{target}"
    try:
        if dial.socket is not None:
            return await unix_connect(
                dial.socket,
                uri,
                open_timeout=_CONNECT,
                max_size=_MAX_MESSAGE,
                compression=None,
                user_agent_header="evalbox",
            )
        return await connect(
            uri,
            additional_headers=headers,
            open_timeout=_CONNECT,
            max_size=_MAX_MESSAGE,
            compression=None,
            user_agent_header="evalbox",
            # A proxy of the environment is not for a box of one's own.
            proxy=None,
            ssl=verification(dial.url, dial.ca) if secure else None,
        )
    except InvalidStatus as error:
        raise _refused(error) from error
    except (OSError, TimeoutError, WebSocketException) as error:
        raise ServiceUnreachable(
            f"no box answers at {dial.where}", hint="start one with: evalbox --serve"
        ) from error


def _refused(error: InvalidStatus) -> EvalboxError:
    try:
        document = json.loads(bytes(error.response.body or b""))
    except ValueError:
        document = None
    if isinstance(document, dict) and "code" in document:
        return error_from(document)
    return ServiceError(
        f"what answered with status {error.response.status_code} is not evalbox",
        hint="check the URL of the box",
    )
