"""The sample batches on real gVisor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_harness import SAMPLES, Cli

pytestmark = pytest.mark.gvisor


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def test_two_solutions_of_one_task(cli: Cli) -> None:
    ended = cli("batch", "run", SAMPLES / "batches" / "fizzbuzz.yaml", "--json")
    assert ended.code == 0, ended.said
    found = {line["agent"]: (line["passed"], line["score"]) for line in ended.json["agents"]}
    assert found["right"] == (1, 1.0)
    assert found["wrong"][0] == 0
    assert 0 < found["wrong"][1] < 1


def test_map_and_reduce(cli: Cli) -> None:
    ended = cli("batch", "run", SAMPLES / "batches" / "pi.yaml", "--json")
    assert ended.code == 0, ended.said
    reduced = ended.json["reduce"]
    assert reduced["score"]["value"] == pytest.approx(3.1416, abs=0.02)
    assert cli("logs", reduced["id"]).text.startswith("pi is about 3.1")
    inputs = {file["path"] for file in reduced["inputs"]}
    assert {"/in/results.json", "/in/00004/artifacts/hits.json", "/in/00001/stdout"} <= inputs


@pytest.mark.timeout(400)
def test_families_by_pattern_and_three_agents(cli: Cli) -> None:
    batch = SAMPLES / "batches" / "families.yaml"
    ended = cli("batch", "run", batch, "--json", patience=300.0)
    assert ended.code == 0, ended.said
    scores = {(one["task"], one["agent"]): one["scores"] for one in ended.json["cells"]}
    assert len(scores) == 15
    assert {task for task, _ in scores} == {
        "sums/small", "sums/Large-1", "sums/3", "guess/shown", "guess/hidden",
    }  # fmt: skip
    assert scores["sums/small", "answer"] == [1.0]
    assert scores["sums/3", "shell"] == [1.0]
    assert [scores[f"sums/{task}", "replayed"] for task in ("small", "Large-1", "3")] == [[1.0]] * 3
    assert ended.json["overall"]["passed"] == 5
    # Its images are there, and what has a verdict is not run again.
    again = cli("batch", "run", batch)
    assert "15 evaluations: 15 done before" in again.said
    report = json.loads(cli("batch", "report", "families", "--json").out)
    assert report["overall"] == ended.json["overall"]
