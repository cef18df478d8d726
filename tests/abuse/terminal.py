"""The command line as a person sees it: a program on a terminal of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

#: The exit status of a command that was asked for what cannot be.
REFUSED = 65
EVALBOX = (sys.executable, "-m", "evalbox")


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered: its exit status, and all that it printed."""

    status: int
    out: bytes
    err: bytes = b""


async def on_a_terminal(data_dir: Path, *arguments: str) -> Said:
    """Runs ``evalbox`` with a terminal for its output, without colours."""
    master, slave = pty.openpty()
    settings = termios.tcgetattr(slave)
    settings[1] &= ~termios.OPOST
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    process = await asyncio.create_subprocess_exec(
        *EVALBOX, "--data-dir", str(data_dir), *arguments,
        stdin=asyncio.subprocess.DEVNULL, stdout=slave, stderr=slave,
        env=_environment({"NO_COLOR": "1", "TERM": "xterm"}),
    )  # fmt: skip
    os.close(slave)
    try:
        shown = await asyncio.to_thread(_read, master)
        return Said(await process.wait(), shown)
    finally:
        os.close(master)


async def through_pipes(data_dir: Path, *arguments: str, **variables: str) -> Said:
    """Runs ``evalbox`` as a script would."""
    process = await asyncio.create_subprocess_exec(
        *EVALBOX, "--data-dir", str(data_dir), *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=_environment(variables),
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode is not None
    return Said(process.returncode, out, err)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **variables, "PYTHONWARNINGS": "error"}


def _read(master: int) -> bytes:
    shown = bytearray()
    # A terminal whose last writer has gone gives an error, not an end.
    with contextlib.suppress(OSError):
        while data := os.read(master, 65536):
            shown += data
    return bytes(shown)
