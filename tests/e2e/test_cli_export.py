"""Taking evaluations elsewhere, and comparing them. On the fake engine."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_harness import PROGRAM, Cli
from inspect_ai.log import read_eval_log


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_export_chooses_as_ls_does(cli: Cli) -> None:
    cli("run", "--name", "good", "--label", "k=v", "--", "true")
    cli("run", "--name", "=bad()", "--batch", "b", "--", "false")
    everything = cli("export").json
    assert everything == cli("ls", "--all", "--json").json
    assert [item["name"] for item in cli("export", "--batch", "b").json] == ["=bad()"]
    assert [item["name"] for item in cli("export", "-n", "1").json] == ["=bad()"]
    assert cli("export", "--name", "nosuch").json == []
    good = everything[1]
    assert cli("export", good["short_id"]).json == [good]
    assert cli("export", good["id"], "--batch", "b").code == 65
    assert cli("export", "nosuch").code == 66
    rows = list(csv.DictReader(cli("export", "--format", "csv").text.splitlines()))
    assert [row["name"] for row in rows] == ["'=bad()", "good"]


def test_export_into_a_file(cli: Cli) -> None:
    cli("run", "--batch", "b", "--", "exit", "3")
    ended = cli("export", "-o", "report.xml")
    assert (ended.code, ended.out) == (0, b"")
    assert ended.said.startswith("1 in report.xml (")
    root = ET.fromstring((cli.work / "report.xml").read_bytes())
    assert [suite.attrib["name"] for suite in root] == ["b"]
    assert root.find(".//failure") is not None
    # By name what is there is replaced, and nothing is left beside it.
    assert cli("export", "--format", "json", "-o", "report.xml").code == 0
    assert json.loads((cli.work / "report.xml").read_text())
    assert [path.name for path in cli.work.iterdir()] == ["report.xml"]
    assert cli("export", "-o", "report.xml/beneath").code == 73
    assert cli("export", "--format", "yaml").code == 2


def test_export_as_logs_of_inspect(cli: Cli) -> None:
    for agent in ("ann", "bob"):
        cli(
            "run",
            "--batch",
            "b",
            "--name",
            "../t",
            "--label",
            f"agent={agent}",
            "--",
            "echo",
            agent,
        )
    ended = cli("export", "--format", "inspect", "-o", "logs")
    assert (ended.code, ended.out) == (0, b"")
    assert ended.said.startswith("2 in logs (")
    assert len(list((cli.work / "logs").iterdir())) == 2
    several = cli("export", "--format", "inspect", "-o", "one.eval")
    assert several.code == 65
    assert "these are 2 logs" in several.said
    for name in ("one.eval", "one.json"):
        words = ("export", "--label", "agent=ann", "--format", "inspect", "-o", name)
        assert cli(*words).code == 0
        log = read_eval_log(str(cli.work / name))
        assert (log.eval.solver, log.samples[0].messages[-1].text) == ("ann", "ann\n")
    # As the name ends; and onto standard output.
    assert cli("export", "--label", "agent=bob", "-o", "one.eval", "--no-tail").code == 0
    log = read_eval_log(str(cli.work / "one.eval"))
    assert (log.eval.solver, len(log.samples[0].messages)) == ("bob", 1)
    shown = cli("export", "--label", "agent=ann", "--format", "inspect").out
    assert read_eval_log(io.BytesIO(shown), format="eval").eval.solver == "ann"


def test_nobody_reads_what_is_exported(cli: Cli) -> None:
    cli("run", "--", "true")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*PROGRAM, "export"], stdout=writer, stderr=subprocess.PIPE, env=cli.env, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_compare_batches(cli: Cli) -> None:
    for batch, worse, better in (("before", "true", "false"), ("after", "false", "true")):
        cli("run", "-q", "--batch", batch, "--name", "worse", "--", worse)
        cli("run", "-q", "--batch", batch, "--name", "better", "--", better)
        cli("run", "-q", "--batch", batch, "--name", "equal", "--", "true")
    ended = cli("compare", "before", "after")
    assert ended.code == 0
    lines = ended.text.splitlines()
    assert "1 regression, 1 fix, 1 the same" in lines
    assert lines[-2].split()[:2] == ["regression", "worse"]
    assert lines[-1].split()[:2] == ["fix", "better"]
    assert "equal" in cli("compare", "before", "after", "--all").text
    told = cli("compare", "before", "after", "--json").json
    assert told["counts"]["regression"] == 1
    assert [pair["name"] for pair in told["pairs"]] == ["worse", "better"]
    assert cli("compare", "before", "after", "--check").code == 1
    assert cli("compare", "before", "before", "--check").code == 0


def test_compare_evaluations(cli: Cli) -> None:
    cli("run", "-q", "--name", "x", "--batch", "b", "--", "true")
    cli("run", "-q", "--name", "x", "--memory", "1g", "--", "exit", "3")
    second, first = (item["short_id"] for item in cli("ls", "--json").json)
    told = cli("compare", first, second)
    assert told.code == 0
    assert told.text.split("\n", 1)[0].split() == [first, second]
    facts = {line.split("  ")[0] for line in told.text.splitlines()[1:]}
    assert {"limit memory", "outcome", "exit status"} <= facts
    found = cli("compare", first, second, "--json").json
    assert found["kind"] == "evaluations"
    assert cli("compare", first, first).code == 0
    assert cli("compare", first, "b").code == 65
    assert cli("compare", first, "nosuch").code == 66


def test_keymap_tells_ids_and_what_is_wrong(cli: Cli) -> None:
    keys = cli.work.parent / ".config" / "evalbox" / "keymap.toml"
    keys.parent.mkdir(parents=True)
    keys.write_text('[list]\nfilter = "f"\nfitler = "g"\n')
    ended = cli("keymap", "--json")
    assert ended.json["list.filter"] == {
        "keys": "f", "text": "Show only what fits", "yours": True,
    }  # fmt: skip
    assert "no binding list.fitler (is it list.filter?)" in ended.said
    assert "list.filter" in cli("keymap").text
    keys.write_text("nonsense")
    assert cli("keymap").code == 78
