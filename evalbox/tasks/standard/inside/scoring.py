"""Scores between the beginning and the end, and the command with which the agent asks for one."""

from __future__ import annotations

import json
import os
import socketserver
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from .narration import note
from .process import Broken

DIRECTORY = Path("/run/evalbox")
SOCKET = DIRECTORY / "socket"
CLIENT = DIRECTORY / "score"
#: Where the agent finds it by its name, unless the family has a program of that name.
_COMMAND = Path("/usr/local/bin/score")
_MOST = 64 * 1024


class ScoreLog:
    """All scores so far. ``take`` asks the family for one."""

    def __init__(self, take: Callable[[], dict[str, Any]], *, visible: bool) -> None:
        self._take = take
        self._visible = visible
        self._lock = threading.Lock()
        self._began = time.time()
        self.entries: list[dict[str, Any]] = []

    def add(self) -> dict[str, Any]:
        """Scores once; gives what the agent may know. Raises ``Broken``."""
        with self._lock:
            created = time.time()
            given = self._take()
            scored = time.time()
            entry = {
                **given,
                "created_at": created,
                "scored_at": scored,
                "elapsed_seconds": created - self._began,
            }
            self.entries.append(entry)
        score = given["score"]
        told = {"message": given.get("message", {})}
        if self._visible:
            told["score"] = score.get("value") if score["kind"] == "number" else score["kind"]
        elif score["kind"] == "invalid":
            told["score"] = "invalid"
        return told


class Desk:
    """Answers the agent's command, one line of JSON for one, until it is closed.

    ``submitted`` is set once somebody has said that the work is done.
    """

    def __init__(self, log: ScoreLog | None, client: bytes) -> None:
        self.submitted = threading.Event()
        desk = self

        class Handler(socketserver.StreamRequestHandler):
            timeout = 30

            def handle(self) -> None:
                answer = desk._answer(self.rfile.readline(_MOST))
                self.wfile.write(json.dumps(answer).encode() + b"\n")

        self._log = log
        DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
        SOCKET.unlink(missing_ok=True)
        self._server = socketserver.ThreadingUnixStreamServer(str(SOCKET), Handler)
        self._server.daemon_threads = True
        os.chmod(SOCKET, 0o666)
        CLIENT.write_bytes(client)
        CLIENT.chmod(0o755)
        with suppress(FileExistsError):
            _COMMAND.symlink_to(CLIENT)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            wanted = json.loads(line)["do"]
        except (ValueError, TypeError, KeyError):
            return {"error": "not understood"}
        if wanted == "submit":
            self.submitted.set()
            return {"message": "submitted"}
        if wanted != "score" or self._log is None:
            return {"error": "this task has no scores before its end"}
        try:
            return self._log.add()
        except Broken as error:
            # Why may tell what the agent is not to know.
            note(f"intermediate score: {error}")
            return {"error": "the score could not be taken"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
