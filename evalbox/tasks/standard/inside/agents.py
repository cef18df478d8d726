"""The ways to attempt a task, from inside: a plan's ``agent`` names one by its ``kind``.

============== =====================================================================
``submission`` ``path``: a file that is the submission; nobody works
``command``    ``argv``: run as the user ``agent``; it writes submission.txt
``replay``     ``steps``: ``{"run": COMMAND}``, ``{"score": true}``, ``{"submit": TEXT}``;
               with ``"may_fail": false`` what fails ends it
``human``      waits until somebody in the sandbox says ``score --submit``
============== =====================================================================

Who runs commands may have ``variables``: names, of which the sandbox knows the values. What they
leave running, a server that is their work for one, lives on and is scored with the rest; but where
time is over, all of it is ended.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .narration import note, write_all
from .process import Broken, run_as_agent
from .scoring import CLIENT, Desk
from .users import (
    AGENT_HOME,
    end_processes_of_agent,
    processes_of_agent,
    read_submission,
    write_for_agent,
)

SUBMISSION = f"{AGENT_HOME}/submission.txt"
#: Bytes of the longest submission.
MOST = 64 << 20


@dataclass(frozen=True)
class Work:
    """What came of an agent. ``status`` None: it ran out of time. ``ran``: somebody worked."""

    submission: bytes
    status: int | None = 0
    ran: bool = True


def attempt(agent: dict[str, Any], desk: Desk, seconds: float) -> Work:
    """Has the agent work for so long at most. Raises ``Broken`` where it cannot."""
    kind = agent.get("kind", "")
    if kind == "submission":
        content = Path(agent["path"]).read_bytes()
        write_for_agent(SUBMISSION, content)
        return Work(content, ran=False)
    before = processes_of_agent()
    status = _KINDS[kind](agent, desk, time.monotonic() + seconds)
    if status is None:
        end_processes_of_agent(before)
    return Work(_submitted(), status)


def _command(agent: dict[str, Any], desk: Desk, end: float) -> int | None:
    return run_as_agent(
        agent["argv"], seconds=end - time.monotonic(), environment=_variables(agent)
    )


def _variables(agent: dict[str, Any]) -> dict[str, str]:
    return {name: os.environ[name] for name in agent.get("variables", [])}


def _replay(agent: dict[str, Any], desk: Desk, end: float) -> int | None:
    for step in agent["steps"]:
        if "submit" in step:
            write_for_agent(SUBMISSION, step["submit"].encode("utf-8", "surrogateescape"))
            return 0
        words = [str(CLIENT)] if "score" in step else ["/bin/bash", "-lc", step["run"]]
        # In a line of its own, whatever was printed before.
        write_all(1, f"\n$ {step.get('run', 'score')}\n".encode("utf-8", "replace"))
        left = end - time.monotonic()
        status = run_as_agent(words, seconds=left, environment=_variables(agent))
        if status is None:
            return None
        if status and not step.get("may_fail", True):
            return status
    return 0


def _human(agent: dict[str, Any], desk: Desk, end: float) -> int | None:
    note("waiting for somebody to work in this sandbox, and to say: score --submit")
    done = desk.submitted.wait(max(0.0, end - time.monotonic()))
    return 0 if done else None


_KINDS = {"command": _command, "replay": _replay, "human": _human}


def _submitted() -> bytes:
    try:
        return read_submission(SUBMISSION, MOST)
    except FileNotFoundError:
        note("there is no submission.txt: the submission is empty")
        return b""
    except ValueError as error:
        raise Broken(f"the submission cannot be taken: {error}") from None
