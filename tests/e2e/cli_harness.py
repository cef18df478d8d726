"""The program as a user has it: a process of its own, on a data directory of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).parents[2] / "sample_tasks"
PROGRAM = (sys.executable, "-m", "evalbox")
#: For what comes soon, on a machine that has much else to do.
PATIENCE = 120.0


@dataclass(frozen=True)
class Ended:
    code: int
    out: bytes
    err: bytes

    @property
    def text(self) -> str:
        return self.out.decode()

    @property
    def said(self) -> str:
        return self.err.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Cli:
    def __init__(self, directory: Path, *, engine: str | None = None) -> None:
        self.data = directory / "box"
        self.work = directory / "work"
        self.work.mkdir()
        self.env = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "EVALBOX_DATA_DIR": str(self.data),
            "TMPDIR": str(directory),
            # Services of several tests, and of whoever works here, run side by side.
            "EVALBOX_PORT": "0",
            # A busy host holds nothing up.
            "EVALBOX_LOAD_PER_CORE": "1000",
            "EVALBOX_MEMORY_PERCENT": "100",
            **{key: value for key, value in os.environ.items() if key.startswith("COVERAGE")},
        }
        if engine is not None:
            self.env["EVALBOX_ENGINE"] = engine

    def __call__(
        self,
        *arguments: str | Path,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
    ) -> Ended:
        """Runs one command to its end."""
        done = subprocess.run(
            [*PROGRAM, *map(str, arguments)],
            input=stdin,
            capture_output=True,
            cwd=self.work,
            env=self.env | dict(env or {}),
            timeout=patience,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in ended.said, ended.said
        return ended

    def start(self, *arguments: str | Path) -> subprocess.Popen[bytes]:
        """Begins a command, in a process group of its own."""
        return subprocess.Popen(
            [*PROGRAM, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.work,
            env=self.env,
            start_new_session=True,
        )

    def on_terminal(self, *arguments: str | Path) -> tuple[int, bytes]:
        """Runs a command on a terminal; gives its exit status and all that the terminal got."""
        pid, terminal = pty.fork()
        if pid == 0:  # pragma: no cover
            os.chdir(self.work)
            os.execve(PROGRAM[0], [*PROGRAM, *map(str, arguments)], self.env | {"TERM": "xterm"})
        seen = b""
        while True:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break
            if not data:
                break
            seen += data
        _, status = os.waitpid(pid, 0)
        os.close(terminal)
        return os.waitstatus_to_exitcode(status), seen

    def evaluations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("ls", "--all", "--json").json
        return found

    def until(self, holds: Callable[[list[dict[str, Any]]], bool]) -> None:
        """Waits until ``holds`` is true of the list of evaluations."""
        end = time.monotonic() + PATIENCE
        while not holds(self.evaluations()):
            assert time.monotonic() < end, self.evaluations()
            time.sleep(0.1)


def finish(process: subprocess.Popen[bytes], number: int | None = None) -> Ended:
    """Sends a signal, if any, and waits for the end."""
    if number is not None:
        process.send_signal(number)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return Ended(process.returncode, out, err)
