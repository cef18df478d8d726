"""The benchmark runs, and measures what it says. Its figures are not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evalbox.bench.batch import batch
from evalbox.bench.feed import feed
from evalbox.bench.lists import lists
from evalbox.bench.load import load
from evalbox.bench.queue import no_ops
from evalbox.bench.sandboxes import throughput
from evalbox.bench.screen import screen
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


async def test_a_batch_is_reported(tmp_path: Path) -> None:
    figures = await batch(
        Settings(data_dir=tmp_path), tmp_path, evaluations=100, rounds=1, progress=lambda _: None
    )
    whole, last = (figure.value for figure in figures)
    assert 0 < last < whole


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


async def test_readers_of_the_feed(tmp_path: Path) -> None:
    figures = await feed(
        replace(Settings(data_dir=tmp_path), engine="fake"),
        tmp_path,
        readers=5,
        measured=1.0,
        progress=lambda _: None,
    )
    lags = [figure for figure in figures if "lag" in figure.name]
    # Five readers of each kind, each of them timed, got all fifty events.
    assert [figure.samples for figure in lags] == [250] * 4
    assert all(figure.value > 0 for figure in figures)


async def test_pages_of_a_list(tmp_path: Path) -> None:
    figures = await lists(
        Settings(data_dir=tmp_path),
        tmp_path,
        evaluations=300,
        pages=3,
        progress=lambda _: None,
    )
    assert figures[-1].name == "a page out of 300: p99"
    assert figures[-1].samples == 3 * (len(figures) - 2)
    assert all(figure.value > 0 for figure in figures)


async def test_the_screen(tmp_path: Path) -> None:
    figures = await screen(
        Settings(data_dir=tmp_path),
        tmp_path,
        evaluations=300,
        starts=1,
        seconds=2.0,
        progress=lambda _: None,
    )
    found = {figure.name: figure for figure in figures}
    assert found["screen, attached: changes of rows"].value > 50
    assert found["screen, attached: sent to the terminal"].value > 0
    assert found["screen, embedded: loop lag while the history loads, p99"].samples > 10
    assert found["screen, embedded: a key's effect painted, p99"].samples > 3
    assert all(figure.value > 0 for figure in figures)


@pytest.mark.gvisor
async def test_the_api_under_load(tmp_path: Path) -> None:
    figures = await load(
        Settings(data_dir=tmp_path), tmp_path, count=2, measured=4.0, progress=lambda _: None
    )
    found = {figure.name: figure for figure in figures}
    assert found["2 running, requests failed"].value == 0
    assert found["2 running, evaluations lost"].value == 0
    assert found["2 running, evaluations lost"].samples > 2
    assert found["2 running, API: p99"].samples == pytest.approx(120, abs=5)
