"""An agent that does what a file says: for tests that give the same every time.

A YAML list::

    - run: python3 solve.py       # in bash, as the user agent; or the command alone
    - run: make check
      may_fail: false             # default true: what fails is passed over
    - score                       # a score in between
    - submit: "42"                # the submission; without it, that which the commands wrote
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from evalbox.agents.base import Agent
from evalbox.domain.admissible import MAX_WORD
from evalbox.errors import InvalidInput
from evalbox.tasks.base import read_bytes
from evalbox.tasks.strict import MAX_SOURCE, Node, read_yaml

_SCORE = "score"
_KEYS = ("run", "may_fail", _SCORE, "submit")
_MOST_STEPS = 10_000


def replay(path: Path) -> Agent:
    """Raises ``InvalidInput`` that names the line, and ``FileMissing``."""
    steps = read_replay(read_bytes(path, limit=MAX_SOURCE), str(path))
    return Agent(path.stem or "replay", {"kind": "replay", "steps": steps})


def read_replay(source: bytes, origin: str) -> list[dict[str, Any]]:
    top = read_yaml(source, origin)
    items = [] if top is None else top.items()
    if not items:
        raise InvalidInput(f"{origin}: has no steps", field="agent")
    if len(items) > _MOST_STEPS:
        raise InvalidInput(f"{origin}: has more than {_MOST_STEPS:,} steps", field="agent")
    steps = [_step(item) for item in items]
    for item, step in list(zip(items, steps, strict=True))[:-1]:
        if "submit" in step:
            raise item.wrong("submit is the last step")
    return steps


def _step(item: Node) -> dict[str, Any]:
    if not item.is_mapping:
        text = item.text()
        return {_SCORE: True} if text == _SCORE else {"run": _command(item, text)}
    keys = item.mapping(_KEYS)
    done = [key for key in ("run", _SCORE, "submit") if key in keys]
    if len(done) != 1:
        raise item.wrong("is to have one of: run, score, submit")
    if "may_fail" in keys and "run" not in keys:
        raise keys["may_fail"].wrong("is for run")
    node = keys[done[0]]
    if "submit" in keys:
        return {"submit": node.text()}
    if _SCORE in keys:
        if not node.is_nothing and not node.flag():
            raise node.wrong("is to be true")
        return {_SCORE: True}
    may_fail = keys["may_fail"].flag() if "may_fail" in keys else True
    return {"run": _command(node, node.text()), "may_fail": may_fail}


def _command(node: Node, text: str) -> str:
    if not text.strip() or "\0" in text or len(text.encode()) > MAX_WORD:
        raise node.wrong("is no command")
    return text
