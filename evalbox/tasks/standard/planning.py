"""What the driver in the sandbox is told: how to build, and how to lead a task through its life."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from evalbox.domain.building import LONGEST
from evalbox.errors import InvalidInput
from evalbox.tasks.base import TaskFile
from evalbox.tasks.standard.driver import driver_archive
from evalbox.tasks.standard.family import Family
from evalbox.tasks.standard.inside.plan import DEADLINES

#: Only root sees what is there.
STATE = "/root/.evalbox"
DRIVER = f"{STATE}/driver.pyz"
PLAN = f"{STATE}/plan.json"
REPORT = f"{STATE}/report.json"
DESCRIPTION = f"{STATE}/family.json"
SUBMISSION = "/home/agent/submission.txt"
BUNDLE = f"{STATE}/family.tar"

_BUILD_PLAN = f"{STATE}/build.json"
_PYTHON = ("python3", DRIVER)
BUILD_COMMAND = (*_PYTHON, "build", _BUILD_PLAN, BUNDLE)

#: What root of the sandbox needs to give files to the agent, to be the agent, and to end it.
CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID")
#: Seconds for what is between the phases.
_SLACK = 60.0


def driver() -> TaskFile:
    return TaskFile(DRIVER, driver_archive(), 0o600)


def build_plan(family: Family) -> TaskFile:
    """Who asked for the build bounds it, so that its time makes no other image of it."""
    plan = {
        "family": family.name,
        "steps": list(family.steps),
        "deadlines": {"install": LONGEST, "setup": LONGEST},
    }
    return _document(_BUILD_PLAN, plan)


def run_plan(
    family: str,
    *,
    agent: Mapping[str, Any],
    deadlines: Mapping[str, float],
    network: bool,
    visible: bool,
    score_on_limits: bool,
) -> TaskFile:
    """For any task of which all of this is true."""
    plan = {
        "family": family,
        "agent": dict(agent),
        "deadlines": dict(deadlines),
        "network": network,
        "visible": visible,
        "score_on_limits": score_on_limits,
    }
    return _document(PLAN, plan)


def run_command(task: str) -> tuple[str, ...]:
    return (*_PYTHON, "run", PLAN, task)


def check_phase(phase: str) -> None:
    """Raises ``InvalidInput`` for what is no phase with a deadline."""
    if phase not in DEADLINES:
        raise InvalidInput(
            f"--deadline: {phase!r} is no phase",
            hint=f"there are {', '.join(DEADLINES)}",
            field="deadline",
        )


def deadline(plan: Mapping[str, Any], phase: str) -> float:
    """Seconds that a phase may take by a plan for a task. Raises as reading a document does."""
    return float({**DEADLINES, **plan["deadlines"]}[phase])


def longest(deadlines: Mapping[str, float]) -> float:
    """Seconds after which a task's life has ended even if every phase takes all of its time."""
    seconds = dict(DEADLINES) | dict(deadlines)
    once = sum(seconds[phase] for phase in ("start", "agent", "score", "teardown"))
    # Setup asks twice, and there is a score between before the agent and after it.
    return once + 2 * seconds["setup"] + 2 * seconds["intermediate"] + _SLACK


def _document(path: str, plan: Mapping[str, Any]) -> TaskFile:
    return TaskFile(path, json.dumps(plan, sort_keys=True).encode("utf-8", "surrogatepass"), 0o600)
