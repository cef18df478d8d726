"""A family's task on real gVisor, under a service that is killed in each of its phases."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from docker_support import BASE, bench
from recovery_support import settings_in
from standard_support import GIVEN, family

from evalbox.domain.evaluation import EvaluationSpec, InputFile
from evalbox.domain.limits import MIB, Limits
from evalbox.domain.outcome import Outcome
from evalbox.domain.score import Score, ScoreKind
from evalbox.engines.docker import DockerEngine
from evalbox.service.box import Box
from evalbox.service.local import LocalBox
from evalbox.tasks.standard.planning import CAPABILITIES, DRIVER, PLAN, REPORT, driver

PHASES = ["setup", "start", "agent", "score", "teardown"]
_ENVIRONMENT = {
    "EVALBOX_MEMORY_PERCENT": "100",
    "EVALBOX_LOAD_PER_CORE": "1000",
    "EVALBOX_DISK_FREE": "1m",
    "EVALBOX_PORT": "0",
    "EVALBOX_CONFIG": os.devnull,
}
#: Every phase takes a while, and leaves a line of how often it was come to.
_MODULE = family(
    """
    @staticmethod
    def _came(name):
        with open("/root/came", "a") as file:
            file.write(name + "\\n")
        time.sleep(1.5)

    @staticmethod
    def get_permissions(t):
        TaskFamily._came("setup")
        return []

    @staticmethod
    def start(t):
        TaskFamily._came("start")

    @staticmethod
    def intermediate_score(t):
        return {"score": 0.25, "message": {"seen": 1}, "details": {}}

    @staticmethod
    def score(t, submission):
        TaskFamily._came("score")
        return float(submission)

    @staticmethod
    def teardown():
        TaskFamily._came("teardown")
    """
)


def _service(directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "service.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "evalbox", "--data-dir", directory / "box", "--serve"],
            env={**os.environ, **_ENVIRONMENT},
            stdout=log,
            stderr=log,
        )


async def _spec(box: Box) -> EvaluationSpec:
    agent = {"kind": "command", "argv": ["/bin/sh", "-c", "sleep 1.5; printf 0.5 >submission.txt"]}
    plan = {"family": "trial", "agent": agent}
    files = {
        DRIVER: driver().content,
        PLAN: json.dumps(plan).encode(),
        GIVEN: b"",
        "/root/trial.py": _MODULE.encode(),
    }
    inputs = []
    for path, content in files.items():
        blob, size = await box.upload(content)
        inputs.append(InputFile(path, blob, size, 0o600))
    return EvaluationSpec(
        name="trial/main",
        command=("python3", DRIVER, "run", PLAN, "main"),
        image=BASE,
        kind="task-standard",
        engine="gvisor",
        user="0:0",
        workdir="/root",
        inputs=tuple(inputs),
        artifacts=("/root/came",),
        limits=Limits(memory=512 * MIB, timeout=120),
        capabilities=CAPABILITIES,
    )


async def _phases(box: Box, evaluation_id: str) -> list[str]:
    return [
        str(event.data["phase"])
        async for event in box.events(evaluation_id=evaluation_id)
        if event.kind == "evaluation.phase"
    ]


@pytest.mark.gvisor
@pytest.mark.timeout(170)
async def test_killed_in_each_phase_every_phase_is_told_once(tmp_path: Path) -> None:
    async with bench("gvisor"):
        pass  # skips where there is no gVisor
    box = await LocalBox.open(settings_in(tmp_path / "box", engine="gvisor"), work=False)
    (made,) = await box.submit([await _spec(box)])
    service = _service(tmp_path)
    engine = DockerEngine("gvisor")
    try:
        for phase in PHASES:
            deadline = time.monotonic() + 60
            while phase not in await _phases(box, made.id):
                assert time.monotonic() < deadline, phase
                time.sleep(0.05)
            service.kill()
            service.wait()
            assert await _phases(box, made.id) == PHASES[: PHASES.index(phase) + 1]
            service = _service(tmp_path)
        found = await box.wait(made.id)
        assert (found.outcome, found.attempts) == (Outcome.OK, 1), found.reason
        assert found.score == Score(ScoreKind.NUMBER, 0.5)
        assert await _phases(box, made.id) == PHASES
        kept = b"".join([data async for data in box.read_artifact(made.id, "root/came")])
        # Setup asks for the permissions; all else is done once.
        assert kept.decode().split() == ["setup", "start", "score", "teardown"]
        report = await box.report(made.id)
        assert report is not None
        assert [one.name for one in report.phases] == PHASES
        assert [one.score.value for one in report.intermediate] == [0.25, 0.25]
        assert REPORT.lstrip("/") in [one.path for one in await box.artifacts(made.id)]
        service.terminate()
        assert service.wait(30) == 0
    finally:
        service.kill()
        service.wait()
        await engine.reap(box._store.box_id, frozenset())
        await engine.close()
        await box.close()
