"""Copies text for the user, by every way that may work, or into a file where none can."""

from __future__ import annotations

import asyncio
import base64
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

#: Bytes of base 64 that terminals take in one sequence.
_MOST = 74_994
_PATIENCE = 2.0


async def copy(text: str, write: Callable[[str], None]) -> str:
    """Copies ``text``; gives in words where it is. ``write`` sends a sequence to the terminal."""
    encoded = base64.b64encode(text.encode()).decode()
    tmux = "TMUX" in os.environ and await _into_tmux(text)
    if len(encoded) <= _MOST:
        write(f"\x1b]52;c;{encoded}\x07")
        return "copied"
    if tmux:
        return "copied into tmux"
    path = await asyncio.to_thread(_into_file, text)
    return f"too long for the clipboard: written to {path}"


async def _into_tmux(text: str) -> bool:
    """tmux drops the sequence where it is not set up for it, but takes this."""
    try:
        process = await asyncio.create_subprocess_exec(
            "tmux", "load-buffer", "-w", "-",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            await process.communicate(text.encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
    return process.returncode == 0


def _into_file(text: str) -> Path:
    descriptor, name = tempfile.mkstemp(prefix="evalbox-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)
