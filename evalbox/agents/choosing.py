"""Which agent is meant by what was asked for."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from evalbox.agents.base import Agent
from evalbox.agents.program import directory_agent, file_agent
from evalbox.agents.replay import replay
from evalbox.agents.simple import command, human
from evalbox.errors import FileMissing, InvalidInput

WAYS = (
    "--submission TEXT, --submission @FILE, --agent 'COMMAND', --agent DIR, --agent REPLAY.yaml "
    "or --agent human"
)
_HUMAN = "human"
_REPLAYS = (".yaml", ".yml")
#: What looks like a file, and no command, even where there is none.
_LIKE_FILE = re.compile(r"\S*/|\S*\.(ya?ml|py|js|mjs|cjs|sh)")
_MOST_NAME = 40


def choose(text: str) -> Agent:
    """``human``, a directory, a script, a replay in YAML, or else a command for bash.

    Raises ``InvalidInput`` and ``FileMissing``.
    """
    return presentable(_chosen(text))


def presentable(agent: Agent) -> Agent:
    """With a name as a label can have it, and a column of a table."""
    plain = "".join(one if one.isprintable() else " " for one in agent.name)
    words = " ".join(plain.split()) or "agent"
    return replace(agent, name=words if len(words) <= _MOST_NAME else f"{words[: _MOST_NAME - 1]}…")


def _chosen(text: str) -> Agent:
    if text == _HUMAN:
        return human()
    if not text.strip():
        raise InvalidInput("--agent: is empty", hint=f"ways to attempt: {WAYS}", field="agent")
    # Of somebody unknown, the home stays as it was written.
    path = Path(os.path.expanduser(text))  # noqa: PTH111 - which raises for them
    try:
        if path.is_dir():
            return directory_agent(path)
        if path.is_file():
            return replay(path) if path.suffix in _REPLAYS else file_agent(path)
    except (OSError, ValueError):
        # What is too long for a path, or has a NUL in it, can only be a command.
        return command(text)
    if _LIKE_FILE.fullmatch(text):
        raise FileMissing(f"--agent: {text}: no such file", hint="check the path")
    return command(text)
