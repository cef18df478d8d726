"""What the sandbox is asked to do, as a file of JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Seconds that each phase may take where nothing else is said.
DEADLINES = {
    "install": 3600.0,
    "setup": 300.0,
    "start": 600.0,
    "agent": 3600.0,
    "intermediate": 300.0,
    "score": 600.0,
    "teardown": 120.0,
}


@dataclass(frozen=True)
class Plan:
    """``agent`` has a ``kind`` and what that kind needs; see ``agents``.

    ``network`` is what the sandbox was made with. ``visible``: the agent is told its scores.
    ``score_on_limits``: an agent that runs out of time is scored all the same.
    """

    family: str
    task: str = ""
    network: bool = False
    agent: dict[str, Any] = field(default_factory=dict)
    deadlines: dict[str, float] = field(default_factory=dict)
    visible: bool = True
    score_on_limits: bool = False
    steps: list[dict[str, Any]] = field(default_factory=list)

    def seconds(self, phase: str) -> float:
        return float(self.deadlines.get(phase, DEADLINES[phase]))


def read_plan(path: str, task: str = "") -> Plan:
    """``task``: of this task, where the plan is for several."""
    told = json.loads(Path(path).read_bytes())
    return Plan(**told | ({"task": task} if task else {}))
