"""The benchmark runs, and measures what it says. Its figures are not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from evalbox.bench.queue import no_ops
from evalbox.bench.sandboxes import throughput
from evalbox.config.settings import Settings
from evalbox.engines.registry import make_engine


async def test_no_ops_at_each_depth(tmp_path: Path) -> None:
    said: list[str] = []
    figures = await no_ops(
        Settings(data_dir=tmp_path),
        tmp_path,
        depths=(10, 200),
        measured=100,
        rounds=2,
        progress=said.append,
    )
    assert [figure.name for figure in figures] == [
        "no-op evaluations, 10 queued",
        "no-op evaluations, 200 queued",
        "200 queued / 10 queued",
    ]
    assert all(figure.value > 0 and figure.samples == 2 for figure in figures)
    assert len(said) == 4


@pytest.mark.gvisor
async def test_throughput_beside_the_bare_loop(tmp_path: Path) -> None:
    engine = make_engine("gvisor")
    try:
        figures = await throughput(
            Settings(data_dir=tmp_path),
            engine,
            "evalbox/base:latest",
            tmp_path,
            slots=(2,),
            jobs=2,
            rounds=1,
            progress=lambda _: None,
        )
    finally:
        await engine.close()
    ours, bare, ratio = (figure.value for figure in figures)
    assert ratio == pytest.approx(ours / bare)


@pytest.mark.gvisor
def test_the_command_prints_json(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "evalbox", "--data-dir", str(tmp_path / "data")]
    ended = subprocess.run(
        [*command, "bench", "--quick", "--only", "starts", "--json"],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    found = json.loads(ended.stdout)
    assert found["machine"]["cores"] >= 1
    assert {figure["name"].split(": ")[1] for figure in found["figures"]} == {
        "warm start to first output",
        "cold start to first output",
        "warm / cold",
    }
    assert not list((tmp_path / "data").glob("bench-*"))
