"""The cases, and how they are gone through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType

from evalbox.engines.conformance import (
    accompanying,
    executing,
    exits,
    filing,
    freezing,
    halting,
    inputs,
    isolation,
    keeping,
    killing,
    lifecycle,
    limiting,
    printing,
)
from evalbox.engines.conformance.case import Case
from evalbox.engines.conformance.commands import Commands, FakeCommands, ShellCommands
from evalbox.engines.conformance.lab import Lab, Mismatch
from evalbox.engines.conformance.traits import Traits

#: Seconds that a case may take.
TIME_LIMIT = 60.0


class Status(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Result:
    """``detail`` says why it failed, or which traits the engine does not claim."""

    name: str
    about: str
    status: Status
    detail: str = ""
    seconds: float = 0.0


def _cases(*modules: ModuleType) -> tuple[Case, ...]:
    return tuple(
        value for module in modules for value in vars(module).values() if isinstance(value, Case)
    )


CASES = _cases(
    exits,
    printing,
    inputs,
    lifecycle,
    keeping,
    killing,
    limiting,
    isolation,
    executing,
    halting,
    accompanying,
    filing,
    freezing,
)


def builtin_traits(engine_name: str) -> Traits:
    """What the engines of evalbox claim."""
    if engine_name == "fake":
        return Traits(
            runs_programs=False,
            isolates=False,
            limits_memory=False,
            limits_processes=False,
            limits_cpu=False,
            limits_files=False,
        )
    if engine_name == "process":
        return Traits(
            isolates=False,
            limits_memory=False,
            limits_processes=False,
            limits_cpu=False,
            adopts=False,
            knows_images=False,
            keeps_images=False,
        )
    return Traits()


def builtin_commands(engine_name: str) -> Commands:
    return FakeCommands() if engine_name == "fake" else ShellCommands()


async def run_case(lab: Lab, case: Case) -> Result:
    """Tries one case. Whatever goes wrong in it is its result."""
    missing = lab.traits.missing(case.needs)
    if missing:
        detail = f"the engine does not claim: {', '.join(missing)}"
        return Result(case.name, case.about, Status.NOT_APPLICABLE, detail)
    began = time.monotonic()
    status, detail = Status.PASSED, ""
    try:
        async with asyncio.timeout(TIME_LIMIT):
            await case.body(lab)
    except Mismatch as mismatch:
        status, detail = Status.FAILED, str(mismatch)
    except Exception as error:
        status, detail = Status.FAILED, f"{type(error).__name__}: {error}"
    return Result(case.name, case.about, status, detail, time.monotonic() - began)


async def run_suite(lab: Lab, cases: Sequence[Case] = CASES) -> list[Result]:
    """Goes through the cases one after the other, and removes what they leave."""
    try:
        return [await run_case(lab, case) for case in cases]
    finally:
        await lab.close()
