"""Agents that are said in a word: a submission, a command, a human."""

from __future__ import annotations

from pathlib import Path

from evalbox.agents.base import Agent
from evalbox.domain.admissible import MAX_WORD
from evalbox.domain.limits import MIB
from evalbox.errors import InvalidInput
from evalbox.tasks.base import TaskFile, read_bytes

MAX_SUBMISSION = 64 * MIB
#: What a person in a shell is called, and is asked for by.
HUMAN = "human"

_PLACE = "/root/.evalbox/given"


def submission(content: bytes, *, name: str = "submission") -> Agent:
    """Nobody works: ``content`` is what is scored, byte for byte."""
    if len(content) > MAX_SUBMISSION:
        raise InvalidInput(f"--submission: is over {MAX_SUBMISSION // MIB} MiB", field="submission")
    file = TaskFile(_PLACE, content, 0o600)
    return Agent(name, {"kind": "submission", "path": _PLACE}, (file,), works=False)


def read_submission(text: str) -> bytes:
    """``text`` itself, or the content of the file that is named behind an ``@``."""
    if not text.startswith("@"):
        return text.encode("utf-8", "surrogateescape")
    if text == "@":
        raise InvalidInput("--submission: no file is named behind @", field="submission")
    return read_bytes(Path(text[1:]), limit=MAX_SUBMISSION)


def command(line: str) -> Agent:
    """A line for bash, run by the user ``agent`` in its home."""
    if not line.strip() or "\0" in line or len(line.encode(errors="surrogateescape")) > MAX_WORD:
        raise InvalidInput("--agent: is no command", field="agent")
    return Agent(line, {"kind": "command", "argv": ["/bin/bash", "-lc", line]})


def human() -> Agent:
    """Somebody in a shell of the sandbox, until they say that it is done."""
    return Agent(HUMAN, {"kind": "human"})
