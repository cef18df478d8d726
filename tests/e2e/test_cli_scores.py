"""Scores, error lines and the figures of batches, as the command line tells them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from cli_harness import Cli, Ended

from evalbox.config.settings import Settings
from evalbox.domain.evaluation import EvaluationSpec
from evalbox.service.local import LocalBox

CONTENT = {
    "score": 0.75,
    "message": "most of it",
    "checks": {
        "compiles": True,
        "speed": {"passed": False, "value": 1.5, "detail": "too slow"},
        "\x1b[31mname": 3,
    },
}


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def scored(cli: Cli, text: str, *more: str) -> Ended:
    return cli("run", "--batch", "b", "--score", "score.json", "--", "artifact", "score.json",
               text, *more)  # fmt: skip


def test_a_score_with_its_checks(cli: Cli) -> None:
    ended = scored(cli, json.dumps(CONTENT))
    assert ended.code == 0
    assert " · score 0.75: most of it · " in ended.said
    (item,) = cli("ls", "--json").json
    assert item["score"] == {"kind": "number", "value": 0.75, "reason": "most of it"}
    assert item["score_file"] == "score.json"
    shown = cli("show", item["id"]).text
    assert "score         0.75: most of it\n" in shown
    assert "  check         compiles  passed\n" in shown
    assert "  check         speed  failed  1.5  too slow\n" in shown
    assert "  check         ^[[31mname  3\n" in shown
    (attempt,) = cli("show", "--json", item["id"]).json["attempts"]
    assert attempt["score"]["checks"][1] == {
        "name": "speed", "passed": False, "value": 1.5, "detail": "too slow",
    }  # fmt: skip
    assert attempt["score"]["raw"] == json.dumps(CONTENT)


def test_what_is_no_score(cli: Cli) -> None:
    ended = scored(cli, "\x1b[31mNaN")
    assert (ended.code, "score invalid: the score file is neither" in ended.said) == (0, True)
    shown = cli("show", cli.evaluations()[0]["id"]).text
    assert "  that was      ^[[31mNaN\n" in shown
    missing = cli("run", "--score", "/tmp/none", "--", "true")
    assert "score invalid: no file /tmp/none" in missing.said
    refused = cli("run", "--score", "../x", "--", "true")
    assert (refused.code, "--score" in refused.said) == (65, True)


def test_the_column_is_there_where_there_is_a_score(cli: Cli) -> None:
    cli("run", "--", "true")
    assert "SCORE" not in cli("ls").text
    scored(cli, "-2.5")
    scored(cli, "null")
    header, manual, number, none = cli("ls").text.splitlines()
    assert header.split()[:6] == ["ID", "STATE", "OUTCOME", "EXIT", "SCORE", "NAME"]
    assert [line.split()[4] for line in (manual, number, none)] == ["manual", "-2.5", "-"]


def test_waiting_tells_scores(cli: Cli) -> None:
    ids = cli("submit", "--repeat", "2", "--score", "s", "--", "artifact", "s", "7").text.split()
    assert [line.split()[1:] for line in cli("wait", *ids).text.splitlines()] == [
        ["ok", "score", "7"]
    ] * 2
    many = cli("run", "--repeat", "2", "--score", "s", "--", "artifact", "s", "8")
    assert all(line.endswith("  score 8") for line in many.text.splitlines())


def test_the_line_that_tells_what_went_wrong(cli: Cli) -> None:
    cli("run", "--", "error", "begin", ";", "error", "ValueError: \x1b[1mx", ";", "exit", "1")
    (item,) = cli("ls", "--json").json
    assert item["error"] == "ValueError: x"
    shown = cli("show", item["id"]).text
    assert shown.count("error         ValueError: x\n") == 2
    (event,) = [one for one in cli("events", "--json").text.splitlines() if "ValueError" in one]
    assert json.loads(event)["data"]["error"] == "ValueError: x"


def test_the_figures_of_a_batch(cli: Cli) -> None:
    scored(cli, "1")
    scored(cli, "null")
    scored(cli, "2", ";", "exit", "1")
    shown = cli("batch", "show", "b").text
    assert "passed    1 of 2: 50% (95 %: 9% to 91%)\n" in shown
    assert "unscored  1 ended ok with a score that is invalid or manual\n" in shown
    assert "score     1.5 on average, of 2\n" in shown
    assert "pace      " in shown
    assert " in 3 attempts\n" in shown
    batch = cli("batch", "show", "b", "--json").json
    assert (batch["passed"], batch["judged"], batch["pass_rate"]) == (1, 2, 0.5)
    assert batch["pass_interval"] == pytest.approx([0.0945, 0.9055], abs=1e-3)
    assert (batch["scored"], batch["mean_score"], batch["unsettled"]) == (2, 1.5, 1)
    assert batch["finished_at"] >= batch["started_at"]


def test_a_person_scores_what_is_left_to_one(cli: Cli) -> None:
    scored(cli, "null")
    (item,) = cli("ls", "--score", "manual", "--json").json
    identifier = item["id"]
    assert cli("score", identifier, "-1.5", "--by", "ann", "--note", "\x1b[31mno").code == 0
    shown = cli("show", identifier).text
    assert "  score         -1.5: ^[[31mno\n" in shown
    assert "  given by      ann, 20" in shown
    again = cli("score", "--json", identifier, "0.5", "--by", "bob").json
    assert again["score"] == {"kind": "number", "value": 0.5, "reason": ""}
    assert cli("ls", "--score", "manual").text == ""
    assert cli("ls", "--score", "number,invalid", "--json").json[0]["id"] == identifier
    for words in (("nan",), ("x",), ("1", "2")):
        refused = cli("score", identifier, *words, "--by", "ann")
        assert refused.code == (2 if len(words) > 1 else 65), words
        assert refused.out == b""
    assert cli("score", identifier, "1").code == 2
    assert cli("ls", "--score", "none").code == 65


REPORT = {
    "outcome": "ok",
    "score": {"kind": "number", "value": 0.5, "raw": "0.5"},
    "phases": [{"name": "start", "began": 1e9, "ended": 1e9 + 2, "limit": 600, "error": ""}],
    "agent": {"status": 3, "ran": True},
    "submission": 7,
    "intermediate": [
        {"score": {"kind": "number", "value": number / 100}, "elapsed_seconds": number,
         "message": {"\x1b[31mseen": "\u202e" + "x" * 500}}
        for number in range(30)
    ],
}  # fmt: skip


async def led(cli: Cli) -> str:
    """The id of a task that a driver has led, in the data directory of ``cli``."""
    path, told = "/root/.evalbox/report.json", json.dumps(REPORT)
    spec = EvaluationSpec(name="family/task", command=("artifact", path, told), image="any",
                          engine="fake", kind="task-standard", artifacts=(path,))  # fmt: skip
    settings = replace(Settings(), data_dir=cli.data, engine="fake", load_per_core=1000,
                       memory_percent=100)  # fmt: skip
    async with await LocalBox.open(settings, work=True) as box:
        (made,) = await box.submit([spec])
        async with asyncio.timeout(30):
            return (await box.wait(made.id)).id


def test_a_report_of_a_task_is_told_with_its_attempt(cli: Cli) -> None:
    identifier = asyncio.run(led(cli))
    shown = cli("show", identifier).text
    assert "  phase         start  2.0 s of 10m00s\n" in shown
    assert "  agent         exit 3\n" in shown
    assert "  submission    7 B\n" in shown
    assert "  in between    10 more, which --json lists\n" in shown
    assert '  in between    0.29  after 29.0 s  {"\\u001b[31mseen": "<U+202E>xxx' in shown
    (attempt,) = cli("show", "--json", identifier).json["attempts"]
    assert len(attempt["report"]["intermediate"]) == 30
    assert attempt["report"]["submission"] == 7
    cli("run", "--", "true")
    (attempt,) = cli("show", "--json", cli.evaluations()[0]["id"]).json["attempts"]
    assert attempt["report"] is None
