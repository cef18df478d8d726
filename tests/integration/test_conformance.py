"""Every engine goes through the conformance suite, for real.

Where an engine or its image is missing, these tests fail: that they cannot run is no success.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from evalbox.engines.base import Engine
from evalbox.engines.conformance import (
    CASES,
    Case,
    Lab,
    Status,
    builtin_commands,
    builtin_traits,
    run_case,
)
from evalbox.engines.docker import DockerEngine
from evalbox.engines.fake import FakeEngine
from evalbox.engines.process import ProcessEngine

IMAGE = "evalbox/base:latest"

ENGINES = [
    "fake",
    "process",
    pytest.param("runc", marks=pytest.mark.docker),
    pytest.param("gvisor", marks=pytest.mark.gvisor),
]

#: What an engine need not do. A case that appears here by accident is a promise that was dropped.
NOT_APPLICABLE = {
    "runc": set[str](),
    "gvisor": set[str](),
    "process": {
        "files_elsewhere", "an_unknown_image", "adopting_what_runs", "adopting_what_has_ended",
        "adopting_what_waits", "adopting_with_artifacts", "artifacts_from_elsewhere",
        "a_command_that_kills_everything", "too_much_memory", "too_much_memory_in_a_child",
        "too_many_processes", "too_much_computing", "no_way_out", "no_rights",
        "no_secret_of_the_host", "a_home_of_its_own", "no_traces", "processes_of_its_own",
        "exec_user", "exec_that_kills_its_parent", "exec_in_what_was_adopted", "file_of_another",
        "image_of_a_sandbox", "image_with_all_kinds", "image_without_what_was_removed",
        "image_too_large", "rights_of_root",
    },
    "fake": {
        case.name
        for case in CASES
        if case.needs - {"adopts", "knows_images", "keeps_images"}
    },
}  # fmt: skip


@pytest.fixture
async def lab(engine_name: str, tmp_path: Path) -> AsyncIterator[Lab]:
    engine, reopened = _engine(engine_name, tmp_path)
    lab = Lab(
        engine,
        image=IMAGE,
        traits=builtin_traits(engine_name),
        commands=builtin_commands(engine_name),
        reopened=reopened,
    )
    yield lab
    await lab.close()
    await engine.close()


def _engine(name: str, tmp_path: Path) -> tuple[Engine, Callable[[], Engine] | None]:
    match name:
        case "fake":
            engine = FakeEngine()
            return engine, lambda: FakeEngine(host=engine.host)
        case "process":
            return ProcessEngine(tmp_path / "state"), None
        case "runc":
            return DockerEngine("runc"), lambda: DockerEngine("runc")
        case _:
            return DockerEngine("gvisor"), lambda: DockerEngine("gvisor")


def _applicable() -> list[object]:
    found = []
    for engine in ENGINES:
        name = engine if isinstance(engine, str) else str(engine.values[0])
        marks = () if isinstance(engine, str) else engine.marks
        found += [
            pytest.param(name, case, id=f"{name}-{case.name}", marks=marks)
            for case in CASES
            if case.name not in NOT_APPLICABLE[name]
        ]
    return found


@pytest.mark.parametrize(("engine_name", "case"), _applicable())
async def test_conforms(lab: Lab, case: Case):
    result = await run_case(lab, case)
    assert result.status is Status.PASSED, f"{result.about}\n{result.detail}"


@pytest.mark.parametrize("name", NOT_APPLICABLE)
def test_what_is_not_applicable_is_known(name: str):
    traits = builtin_traits(name)
    assert {case.name for case in CASES if traits.missing(case.needs)} == NOT_APPLICABLE[name]
