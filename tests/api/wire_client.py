"""A client that sends bytes as they are."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from standing import Standing


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """Of a failure; asserts that it is one in the one shape."""
        assert self.status >= 400, self
        assert self.headers["content-type"] == "application/problem+json", self
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        assert found["code"]
        assert found["detail"]
        return found


@contextmanager
def connected(standing: Standing) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", standing.box.port), timeout=20) as client:
        yield client


def head(standing: Standing, line: str, *headers: str) -> bytes:
    """The head of a request with the key of the box."""
    lines = [f"{line} HTTP/1.1", "Host: box", f"Authorization: Bearer {standing.key}", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def sent(standing: Standing, *pieces: bytes, close: bool = False) -> list[Answer]:
    """All answers to what is sent, until the service closes or is done."""
    with connected(standing) as client:
        try:
            for piece in pieces:
                client.sendall(piece)
            if close:
                client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            # It has heard enough, and says so.
            pass
        return list(answers(client))


def answers(client: socket.socket) -> Iterator[Answer]:
    """Those that come until a second of silence, or the end of the connection."""
    data = b""
    client.settimeout(10)
    while True:
        while b"\r\n\r\n" not in data:
            try:
                piece = client.recv(65536)
            except (TimeoutError, ConnectionResetError):
                return
            if not piece:
                assert not data, data[:200]
                return
            data += piece
            client.settimeout(1)
        top, _, data = data.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        length = int(headers.get("content-length", 0))
        while len(data) < length:
            piece = client.recv(65536)
            assert piece, "the answer broke off"
            data += piece
        yield Answer(int(first.split()[1]), headers, data[:length])
        data = data[length:]
