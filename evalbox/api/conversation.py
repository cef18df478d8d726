"""A program in a sandbox over a WebSocket.

The client begins with a text message, a ``StartBody``. Then its binary messages are standard input,
and its text messages say ``{"type": "eof"}``, ``{"type": "kill"}`` or ``{"type": "resize",
"rows": R, "cols": C}``. The service answers ``{"type": "started"}``, then binary messages whose
first byte is the stream, 1 or 2, and whose rest is output; after input, ``{"type": "taken",
"bytes": N}``; at last ``{"type": "exit", ...}``, and closes. Where something fails it says
``{"type": "error", "problem": ...}``.

``N`` counts all input that the program has taken: a client is at most ``WINDOW`` bytes ahead of it,
so that its going away, and what else it says, is always heard.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from evalbox.api import problems
from evalbox.api.sandbox_models import StartBody
from evalbox.domain.sandbox import ExecSpec, check_size
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.service.sandbox_box import SandboxExec
from evalbox.wire import sandboxes as wire
from evalbox.wire.problem import problem

#: Seconds in which a client that has connected says what is to be run.
_START = 30.0
_NORMAL, _POLICY = 1000, 1008
#: Bytes of input that a client may send beyond what was taken, and how many more are borne.
WINDOW, SLACK = 1 << 20, 1 << 20


#: Starts a program, or raises why it cannot be.
Begin = Callable[[ExecSpec], Awaitable[SandboxExec]]


async def converse(websocket: WebSocket, begin: Begin) -> None:
    """Accepts, and talks until the program ends, or the client goes, and the program with it."""
    await websocket.accept()
    try:
        body = await _first(websocket)
        running = await begin(body.spec())
        try:
            await _talk(websocket, running)
        finally:
            await running.close()
    except EvalboxError as error:
        await _failed(websocket, error)
    except (WebSocketDisconnect, TimeoutError):
        if websocket.application_state is WebSocketState.CONNECTED:
            await _end(websocket, _POLICY)


async def _first(websocket: WebSocket) -> StartBody:
    async with asyncio.timeout(_START):
        message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", _NORMAL))
    text = message.get("text")
    if text is None:
        raise InvalidInput("the first message has to be text that says what is to be run")
    try:
        return StartBody.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise InvalidInput(f"{field}: {first['msg']}".removeprefix(": "), field=field) from None


async def _talk(websocket: WebSocket, running: SandboxExec) -> None:
    await _say(websocket, {"type": "started"})
    given = _Given(websocket, running)
    hearing = asyncio.create_task(_hear(websocket, running, given), name="exec-hear")
    telling = asyncio.create_task(_tell(websocket, running), name="exec-tell")
    feeding = asyncio.create_task(given.feed(), name="exec-feed")
    try:
        await asyncio.wait((hearing, telling), return_when=asyncio.FIRST_COMPLETED)
        if telling.done():
            end = telling.result()
            await _say(websocket, {"type": "exit", **end})
            await _end(websocket, _NORMAL)
        else:
            # The client has gone, or said what cannot be understood.
            hearing.result()
    finally:
        for task in (hearing, telling, feeding):
            task.cancel()
        await asyncio.gather(hearing, telling, feeding, return_exceptions=True)


class _Given:
    """Input on its way to the program."""

    def __init__(self, websocket: WebSocket, running: SandboxExec) -> None:
        self._websocket = websocket
        self._running = running
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ahead = 0

    def take(self, data: bytes | None) -> None:
        """None is the end. Raises ``InvalidInput`` where the client is too far ahead."""
        self._ahead += len(data or b"")
        if self._ahead > WINDOW + SLACK:
            raise InvalidInput(
                "there is more input than the program takes",
                hint=f"send at most {WINDOW} bytes beyond what was taken",
            )
        self._waiting.put_nowait(data)

    async def feed(self) -> None:
        taken = 0
        while (data := await self._waiting.get()) is not None:
            await self._running.write(data)
            self._ahead -= len(data)
            taken += len(data)
            await _say(self._websocket, {"type": "taken", "bytes": taken})
        await self._running.close_stdin()


async def _tell(websocket: WebSocket, running: SandboxExec) -> wire.ExecEndDocument:
    async for piece in running.output():
        await websocket.send_bytes(bytes([piece.stream]) + piece.data)
    return wire.exec_end(await running.wait())


async def _hear(websocket: WebSocket, running: SandboxExec, given: _Given) -> None:
    """Returns once the client has gone."""
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            return
        data = message.get("bytes")
        if data is not None:
            given.take(data)
        else:
            await _heed(running, given, message.get("text") or "")


async def _heed(running: SandboxExec, given: _Given, text: str) -> None:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("the message is not JSON") from None
    match said:
        case {"type": "eof"}:
            given.take(None)
        case {"type": "kill"}:
            await running.kill()
        case {"type": "resize", "rows": int(rows), "cols": int(cols)}:
            check_size(rows, cols)
            await running.resize(rows, cols)
        case _:
            raise InvalidInput("the message is of no known type", hint="eof, kill or resize")


async def _failed(websocket: WebSocket, error: EvalboxError) -> None:
    request_id = str(websocket.scope.get("evalbox.request_id", ""))
    document = problem(error, problems.status_of(error), request_id=request_id)
    try:
        await _say(websocket, {"type": "error", "problem": document})
        await _end(websocket, _POLICY)
    except (WebSocketDisconnect, RuntimeError):
        return


async def _say(websocket: WebSocket, said: dict[str, Any]) -> None:
    await websocket.send_text(json.dumps(said, separators=(",", ":")))


async def _end(websocket: WebSocket, code: int) -> None:
    await websocket.close(code)
