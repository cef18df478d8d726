"""Batches out of a file, as users run them. On the fake engine, but where said."""

from __future__ import annotations

import csv
import io
import json
import signal
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from cli_harness import PATIENCE, Cli, finish
from service_harness import serving

_TASKS = """
name: trial
tasks:
  - {name: good, command: [echo, fine]}
  - {name: bad, command: ["false"]}
  - {name: scored, command: [artifact, score.txt, "0.25"], score: score.txt}
"""
_AGENTS = "agents: [{name: a}, {name: b}]\n"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def write(cli: Cli, text: str, name: str = "batch.yaml") -> Path:
    path = cli.work / name
    path.write_text(text)
    return path


def labels(cli: Cli) -> set[tuple[str, str, str]]:
    return {
        (item["labels"]["task"], item["labels"].get("agent", ""), item["labels"]["epoch"])
        for item in cli.evaluations()
    }


def test_tasks_times_agents_times_epochs(cli: Cli) -> None:
    file = write(cli, _TASKS + _AGENTS + "epochs: 2\nlabels: {team: x}\nconcurrency: 3\n")
    ended = cli("batch", "run", file)
    assert ended.code == 0, ended
    assert "12 evaluations: 12 to run" in ended.said
    assert "good    2/2" in ended.text
    assert "scored  2/2  0.25  2/2  0.25" in ended.text
    found = cli.evaluations()
    assert len(found) == 12
    assert labels(cli) == {
        (task, agent, epoch)
        for task in ("good", "bad", "scored")
        for agent in "ab"
        for epoch in "12"
    }
    assert {item["labels"]["team"] for item in found} == {"x"}
    assert cli("batch", "show", "trial", "--json").json["concurrency"] == 3


def test_run_again_it_goes_on_and_runs_nothing_twice(cli: Cli) -> None:
    file = write(cli, _TASKS)
    assert cli("batch", "run", file).code == 0
    again = cli("batch", "run", file)
    assert "3 evaluations: 3 done before" in again.said
    assert [item["attempt_count"] for item in cli.evaluations()] == [1, 1, 1]
    # One that was cancelled has no verdict, and is run; what failed only where that is asked for.
    more = cli("batch", "run", file, "--retry-failed", "--json")
    assert "1 to run again, 2 done before" in more.said
    assert more.json["overall"]["retries"] == 1
    # Other surroundings and another place in the line do not make it another experiment.
    write(cli, _TASKS + "priority: low\nretries: 2\nlabels: {team: y}\n")
    assert "3 done before" in cli("batch", "run", file).said
    # Another limit does, and the report is of what is newest.
    write(cli, _TASKS + "limits: {memory: 300m}\n")
    assert "3 to run" in cli("batch", "run", file).said
    report = cli("batch", "report", "trial", "--json").json
    assert (report["evaluations"], report["older"]) == (3, 3)


def test_a_rehearsal_changes_nothing(cli: Cli) -> None:
    script = write(cli, "print(1)\n", "solve.py")
    file = write(cli, f"name: trial\nepochs: 4\ntasks: [{script.name}, {{command: [echo, x]}}]\n")
    ended = cli("batch", "run", "--dry-run", file, "--json")
    assert ended.json == {
        "batch": "trial",
        "units": [
            {"task": name, "agent": "", "epochs": 4, "to_run": 4, "waiting": 0, "done": 0}
            for name in ("solve.py", "echo")
        ],
    }
    assert cli.evaluations() == []
    assert cli("batch", "run", file).code == 0
    assert [unit["done"] for unit in cli("batch", "run", "--dry-run", file, "--json").json["units"]]


def test_a_matrix_makes_an_agent_of_each_combination(cli: Cli) -> None:
    text = "name: m\ntasks: [{name: t, command: [env, MODEL]}]\nagents: [{name: x}]\n"
    file = write(cli, text + "matrix: {MODEL: [big, small], HEAT: [0, 1]}\n")
    found = cli("batch", "run", file, "--json").json
    assert [one["agent"] for one in found["agents"]] == [
        f"x MODEL={model} HEAT={heat}" for model in ("big", "small") for heat in "01"
    ]
    assert found["overall"]["passed"] == 4
    assert {item["labels"]["MODEL"] for item in cli.evaluations()} == {"big", "small"}


def test_the_status_says_whether_enough_passed(cli: Cli) -> None:
    file = write(cli, _TASKS)
    assert cli("batch", "run", file, "--min-pass-rate", "60%").code == 0
    below = cli("batch", "run", file, "--min-pass-rate", "0.7")
    assert below.code == 1
    assert "the pass rate 66.7% is below 70.0%" in below.said
    assert cli("batch", "run", file, "--min-pass-rate", "70").code == 65
    assert cli("batch", "run", file, "--min-pass-rate", "nan").code == 65


def test_fail_fast_cancels_the_rest(cli: Cli) -> None:
    waits = "".join(f"  - {{name: w{n}, command: [sleep, inf]}}\n" for n in range(5))
    bad = "  - {name: bad, command: ['false']}\n"
    file = write(cli, f"name: f\nfail_fast: true\ntasks:\n{bad}{waits}reduce: {{command: [cat]}}\n")
    ended = cli("batch", "run", file, env={"EVALBOX_SLOTS": "8"})
    assert ended.code == 1
    states = sorted(item["state"] for item in cli.evaluations())
    assert states == ["cancelled"] * 5 + ["failed"]
    assert "the reduce step is not run: 5 were cancelled" in ended.said


_REDUCED = """
name: trial
tasks:
  - {name: good, command: [echo, fine]}
  - {name: bad, command: ["false"]}
  - name: scored
    command: [artifact, score.txt, "0.25", ;, artifact, note.txt, kept]
    score: score.txt
    artifacts: [note.txt]
reduce:
  command: [cat, /in/results.json, ;, cat, /in/00002/stdout, ;,
            cat, /in/00003/artifacts/note.txt]
"""


def test_a_reduce_step_gets_what_the_others_left(cli: Cli) -> None:
    file = write(cli, _REDUCED)
    first = cli("batch", "run", file, "--json")
    assert first.code == 0, first
    item = first.json["reduce"]
    assert (item["outcome"], item["batch"], item["labels"]["reduces"]) == ("ok", None, "trial")
    out = cli("logs", item["id"]).text
    results, end = json.JSONDecoder().raw_decode(out)
    assert [(one["task"], one["outcome"]) for one in results] == [
        ("bad", "failed"), ("good", "ok"), ("scored", "ok"),
    ]  # fmt: skip
    assert results[2]["score"] == {"kind": "number", "value": 0.25, "reason": ""}
    assert out[end:] == "\nfine\nkept"
    # The same results are reduced once; others anew.
    assert cli("batch", "run", file, "--json").json["reduce"]["id"] == item["id"]
    again = cli("batch", "run", file, "--retry-failed", "--json").json["reduce"]
    assert again["outcome"] == "ok"
    # It is no part of what the batch found.
    assert cli("batch", "show", "trial", "--json").json["states"] == {"completed": 2, "failed": 1}


def test_killed_before_it_reduced_it_reduces_when_run_again(cli: Cli) -> None:
    text = "name: k\ntasks: [{name: t, command: [sleep, '3']}]\n"
    file = write(cli, text + "reduce: {command: [cat, /in/results.json]}\n")
    process = cli.start("batch", "run", file)
    cli.until(bool)
    process.kill()
    process.communicate(timeout=PATIENCE)
    ended = cli("batch", "run", file, "--json")
    assert ended.code == 0, ended
    assert ended.json["reduce"]["outcome"] == "ok"
    found = cli.evaluations()
    assert [item["name"] for item in found].count("t") == 1
    assert [item["name"] for item in found].count("k: cat") == 1


def test_left_between_the_last_end_and_the_reduce_step_it_is_gone_on_with(cli: Cli) -> None:
    file = write(cli, _TASKS + "reduce: {command: [cat, /in/results.json]}\n")
    assert cli("batch", "run", "--no-wait", file).code == 0
    assert cli("batch", "wait", "trial").code == 1
    ended = cli("batch", "run", file, "--json")
    assert "3 done before" in ended.said
    assert ended.json["reduce"]["outcome"] == "ok"
    assert len(cli.evaluations()) == 4


def test_ctrl_c_leaves_it_queued_and_says_how_to_go_on(cli: Cli) -> None:
    tasks = "tasks: [{name: a, command: [sleep, inf]}, {name: b, command: [sleep, inf]}]\n"
    file = write(cli, "name: c\n" + tasks)
    with serving(cli):
        process = cli.start("batch", "run", file)
        cli.until(lambda found: len(found) == 2)
        process.send_signal(signal.SIGINT)
        ended = finish(process)
        assert ended.code == 130
        assert f"go on with evalbox batch run {file}" in ended.said
        assert all(item["state"] in ("queued", "starting", "running") for item in cli.evaluations())
        assert cli("batch", "cancel", "c", "--yes").code == 0


def test_left_without_waiting(cli: Cli) -> None:
    file = write(cli, _TASKS + "reduce: {command: [cat, /in/results.json]}\n")
    ended = cli("batch", "run", "--no-wait", file)
    assert ended.code == 0
    assert "no process runs the queue" in ended.said
    assert {item["state"] for item in cli.evaluations()} == {"queued"}
    final = cli("batch", "run", file, "--json")
    assert "3 under way" in final.said
    assert final.json["reduce"]["outcome"] == "ok"


def test_the_forms_of_a_report(cli: Cli) -> None:
    assert cli("batch", "run", write(cli, _TASKS + _AGENTS)).code == 0
    report = cli("batch", "report", "trial", "--format", "json").json
    assert (report["overall"]["passed"], report["overall"]["judged"]) == (4, 6)
    assert [line["agent"] for line in report["agents"]] == ["a", "b"]
    rows = list(
        csv.DictReader(io.StringIO(cli("batch", "report", "trial", "--format", "csv").text))
    )
    assert len(rows) == 6
    assert {row["score_max"] for row in rows if row["task"] == "scored"} == {"0.25"}
    suite = ET.fromstring(cli("batch", "report", "trial", "--format", "junit").out)[0]
    assert (suite.get("tests"), suite.get("failures")) == ("6", "2")
    for name in ("report.html", "report.txt", "report.json"):
        assert cli("batch", "report", "trial", "-o", name).code == 0
        assert (cli.work / name).stat().st_size
    html = (cli.work / "report.html").read_text()
    assert html.startswith("<!doctype html>")
    assert "<script" not in html
    assert "http:" not in html
    assert cli("batch", "report", "none").code == 66
    assert cli("batch", "compare", "trial", "trial").code == 0


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("", 0, "is empty"),
        ("name: x\n", 1, "has no tasks"),
        ("name: x\ntasks: []\n", 2, "has no tasks"),
        ("name: x\ntaks: [a]\n", 2, "unknown key 'taks'"),
        ("name: x\ntasks: [nothing.py]\n", 2, "no such task"),
        ("name: x\ntasks: ['*.nothing']\n", 2, "nothing that can be run"),
        ("name: x\ntasks:\n  - {}\n", 3, "one of: path, command"),
        ("name: x\ntasks:\n  - {command: []}\n", 3, "command"),
        ("name: x\nepochs: 0\ntasks: [{command: [a]}]\n", 2, "out of range"),
        ("name: x\nlimits: {memory: 1}\ntasks: [{command: [a]}]\n", 2, "memory"),
        ("name: x\nlimits: {memry: 1g}\ntasks: [{command: [a]}]\n", 2, "memry"),
        ("name: x\nlabels: {epoch: 1}\ntasks: [{command: [a]}]\n", 2, "the batch's own"),
        ("name: x\nmatrix: {A: [1, 1]}\ntasks: [{command: [a]}]\n", 2, "values that differ"),
        ("name: x\ntasks:\n- {command: [a]}\n- {command: [a]}\n", 4, "twice"),
        ("name: x\nnetwork: moon\ntasks: [{command: [a]}]\n", 2, "moon"),
        ("name: x\nreduce: none.py\ntasks: [{command: [a]}]\n", 2, "no such file"),
        ("name: x\nagents: [{arguments: [1]}]\ntasks: [{command: [a]}]\n", 2, "neither"),
    ],
)
def test_bad_files_are_told_with_their_line(cli: Cli, text: str, line: int, what: str) -> None:
    ended = cli("batch", "run", write(cli, text))
    assert ended.code in (65, 66), ended
    assert what in ended.said
    if line:
        assert f"batch.yaml, line {line}:" in ended.said
    assert cli.evaluations() == []


def test_scripts_by_pattern_are_called_so_that_they_can_be_told_apart(cli: Cli) -> None:
    for place in ("one", "two"):
        (cli.work / place).mkdir()
        write(cli, "print(1)\n", f"{place}/main.py")
        write(cli, "no task\n", f"{place}/README.md")
    file = write(cli, "name: x\ntasks: ['*/*']\n")
    units = cli("batch", "run", "--dry-run", file, "--json").json["units"]
    assert [unit["task"] for unit in units] == ["one/main.py", "two/main.py"]


def test_it_is_the_same_over_a_socket(cli: Cli) -> None:
    file = write(cli, _REDUCED)
    with serving(cli):
        ended = cli("batch", "run", file, "--json")
        assert ended.code == 0, ended
        assert ended.json["overall"]["passed"] == 2
        assert ended.json["reduce"]["outcome"] == "ok"
        assert "3 done before" in cli("batch", "run", file).said


def test_hostile_words_are_shown_and_not_obeyed(cli: Cli) -> None:
    name = "<script>alert(1)</script>\\u202e"
    file = write(
        cli,
        f'name: "<b>x</b>"\ntasks: [{{name: "<i>=cmd</i>", command: [error, "{name}\\e[31m"]}}]\n'
        'agents: [{name: "<img src=x>"}]\n',
    )
    assert cli("batch", "run", file).code == 0
    html = cli("batch", "report", "<b>x</b>", "--format", "html").text
    for word in ("<b>x", "<i>", "<img", "<script"):
        assert word not in html
    assert "&lt;img src=x&gt;" in html
