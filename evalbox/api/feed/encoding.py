"""How the feed looks as server-sent events, and as frames of a WebSocket."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Protocol, TypeVar

from websockets.frames import Frame, Opcode

from evalbox.api.feed.ring import Entry

P_co = TypeVar("P_co", bytes, str, covariant=True)

#: Why a stream ends.
COMPLETE, STOPPING = "complete", "stopping"


class Encoding(Protocol[P_co]):
    def opened(self, position: int) -> P_co:
        """The first that is sent: where the reader begins."""
        ...

    def events(self, entries: Sequence[Entry]) -> P_co: ...

    def on_wire(self, entries: Sequence[Entry]) -> bytes:
        """``events`` as they cross the connection: a chunk of HTTP/1.1, a frame of a WebSocket."""
        ...

    def gap(self, position: int, head: int) -> P_co:
        """What lies behind ``position`` up to ``head`` comes from the store."""
        ...

    def alive(self, position: int) -> P_co:
        """After a silence; empty where nothing need be sent."""
        ...

    def end(self, reason: str) -> P_co: ...


class ServerSent:
    """An ``id`` alone sets where a browser that reconnects goes on, and shows it no event."""

    def opened(self, position: int) -> bytes:
        return self.alive(position)

    def events(self, entries: Sequence[Entry]) -> bytes:
        return "".join(
            f"id: {item.seq}\nevent: event\ndata: {item.text}\n\n" for item in entries
        ).encode()

    def on_wire(self, entries: Sequence[Entry]) -> bytes:
        content = self.events(entries)
        return b"%x\r\n%b\r\n" % (len(content), content)

    def gap(self, position: int, head: int) -> bytes:
        return f'event: gap\ndata: {{"after":{position},"to":{head}}}\n\n'.encode()

    def alive(self, position: int) -> bytes:
        return f": alive\nid: {position}\n\n".encode()

    def end(self, reason: str) -> bytes:
        return f"event: end\ndata: {json.dumps({'reason': reason})}\n\n".encode()


class Framed:
    """Each frame is an object with a ``type``. That a connection lives, pings show."""

    def opened(self, position: int) -> str:
        return f'{{"type":"open","after":{position}}}'

    def events(self, entries: Sequence[Entry]) -> str:
        return f'{{"type":"events","events":[{",".join(item.text for item in entries)}]}}'

    def on_wire(self, entries: Sequence[Entry]) -> bytes:
        return Frame(Opcode.TEXT, self.events(entries).encode()).serialize(mask=False)

    def gap(self, position: int, head: int) -> str:
        return f'{{"type":"gap","after":{position},"to":{head}}}'

    def alive(self, position: int) -> str:
        return ""

    def end(self, reason: str) -> str:
        return json.dumps({"type": "end", "reason": reason})


SERVER_SENT, FRAMED = ServerSent(), Framed()
