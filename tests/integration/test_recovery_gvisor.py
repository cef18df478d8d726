"""A service on real gVisor that is killed again and again: each evaluation ends exactly once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from docker_support import BASE, bench
from recovery_support import output, settings_in

from evalbox.domain.evaluation import EvaluationSpec
from evalbox.domain.outcome import Outcome
from evalbox.domain.retry import RetryPolicy
from evalbox.domain.state import FINAL
from evalbox.engines.docker import DockerEngine, orphans
from evalbox.service.local import LocalBox

_EVALUATIONS = 20
#: Seconds for which the service is killed; what is left then may end in peace.
_UNREST = 30.0
_ENVIRONMENT = {
    "EVALBOX_SLOTS": "4",
    "EVALBOX_MEMORY_PERCENT": "100",
    "EVALBOX_LOAD_PER_CORE": "1000",
    "EVALBOX_DISK_FREE": "1m",
    "EVALBOX_PORT": "0",
    "EVALBOX_CONFIG": os.devnull,
}


def _service(directory: Path, *, warm: int) -> subprocess.Popen[bytes]:
    with (directory / "service.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "evalbox", "--data-dir", directory / "box", "--serve"],
            env={**os.environ, **_ENVIRONMENT, "EVALBOX_WARM": str(warm)},
            stdout=log,
            stderr=log,
        )


def _spec(number: int) -> EvaluationSpec:
    script = f"echo token-{number}-a; sleep 1; echo token-{number}-b"
    return EvaluationSpec(
        name=f"chaos-{number}",
        command=("/bin/sh", "-c", script),
        image=BASE,
        engine="gvisor",
        retry=RetryPolicy(infra_retries=100, base=0.1, cap=0.5),
    )


@pytest.mark.gvisor
@pytest.mark.timeout(170)
async def test_killed_again_and_again(tmp_path: Path) -> None:
    async with bench("gvisor"):
        pass  # skips where there is no gVisor
    chance = random.Random(20)
    box = await LocalBox.open(settings_in(tmp_path / "box", engine="gvisor"), work=False)
    made = await box.submit([_spec(number) for number in range(_EVALUATIONS)])
    began, lives = time.monotonic(), 0
    while not all([(await box.get(item.id)).state in FINAL for item in made]):
        service = _service(tmp_path, warm=2)
        lives += 1
        if time.monotonic() - began > _UNREST:
            for item in made:
                await box.wait(item.id)
        else:
            time.sleep(chance.uniform(2.0, 3.5))
        service.kill()
        service.wait()
    # One more start, to tidy up what the last one left.
    service = _service(tmp_path, warm=0)
    engine = DockerEngine("gvisor")
    box_id = box._store.box_id
    try:
        deadline = time.monotonic() + 30
        while (left := await engine.list(box_id)) and time.monotonic() < deadline:
            time.sleep(0.2)
        assert left == []
        service.terminate()
        assert service.wait(30) == 0
        ids: set[str | None] = set()
        for number, item in enumerate(made):
            found = await box.get(item.id)
            assert found.outcome is Outcome.OK, (number, found, lives)
            expected = f"token-{number}-a\ntoken-{number}-b\n"
            assert await output(box, item.id) == expected.encode(), (number, lives)
            ends = [event.kind async for event in box.events(evaluation_id=item.id)]
            assert ends.count("evaluation.completed") == 1
            ids |= {attempt.sandbox_id for attempt in await box.attempts(item.id)}
        assert lives > 3
        print(f"{lives} lives, {len(ids)} sandboxes")
        assert not [one for one in orphans.serving() if one.container in ids]
    finally:
        service.kill()
        service.wait()
        await engine.reap(box_id, frozenset())
        await engine.close()
        await box.close()
