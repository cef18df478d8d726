"""Each way to attempt a family's tasks on real gVisor; secrets, limits, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_harness import Cli, finish

from evalbox import Box

pytestmark = pytest.mark.gvisor

#: Adds up, with a secret that install and the scorer see in their own ways.
FAMILY = '''
"""Adds up."""
import json, os, pathlib

class TaskFamily:
    required_environment_variables = ["SCORER_KEY"]

    @staticmethod
    def install():
        pathlib.Path("/root/seen").write_text(json.dumps(sorted(os.environ)))

    @staticmethod
    def get_tasks():
        return {"small": {"n": [1, 2]}, "Large-2": {"n": [10, 20]}, "3": {"n": []}}

    @staticmethod
    def get_instructions(t):
        return f"Add up {t['n']} into submission.txt"

    @staticmethod
    def start(t):
        seen = json.loads(pathlib.Path("/root/seen").read_text())
        assert "INSTALL_KEY" in seen and "INSTALL_KEY" not in os.environ
        assert os.environ["SCORER_KEY"] == "sesame"

    @staticmethod
    def intermediate_score(t):
        return {"score": 0.5, "message": {"keep": "going"}, "details": {}}

    @staticmethod
    def score(t, submission):
        print("submitted", ascii(submission))
        return float(submission.strip() == str(sum(t["n"])))
'''
AGENT = """
import os, re, subprocess
assert "SCORER_KEY" not in os.environ and os.environ["MODEL_KEY"] == "mine"
assert os.getuid() == 1000 and not os.access("/root", os.R_OK)
print(subprocess.run(["score"], capture_output=True, text=True).stdout)
numbers = map(int, re.findall(r"\\d+", open("instructions.txt").read()))
open("submission.txt", "w").write(str(sum(numbers)))
"""


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("families") / "adding"
    place.mkdir()
    (place / "adding.py").write_text(FAMILY)
    (place / "manifest.yaml").write_text(
        "tasks:\n  small: {resources: {cpus: 0.5, memory_gb: 0.4}}\n"
    )
    (place.parent / "secrets.env").write_text('SCORER_KEY="sesame" # x\nINSTALL_KEY=open\n')
    return place


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


def with_secrets(family: Path) -> tuple[str, str]:
    return "--secrets", str(family.parent / "secrets.env")


def test_every_way_to_attempt_a_task(cli: Cli, family: Path, tmp_path: Path) -> None:
    secrets = with_secrets(family)
    given = cli("run", family / "small", "--submission", "3", *secrets)
    assert given.code == 0, given.said
    assert "score 1" in given.said.splitlines()[-1]
    assert "==> install" in given.said
    assert "submitted '3'" in given.text

    (tmp_path / "answer").write_bytes(b"3\r\n\0")
    wrong = cli("run", family / "small", "--submission", f"@{tmp_path}/answer", *secrets)
    assert "score 0" in wrong.said.splitlines()[-1]
    assert "==> install" not in wrong.said
    assert "submitted '3\\r\\n\\x00'" in wrong.text

    line = "echo $(( 10 + 20 )) > submission.txt"
    ran = cli("run", family / "Large-2", "--agent", line, "--agent-name", "shell", *secrets)
    assert "score 1" in ran.said.splitlines()[-1], ran.said

    (tmp_path / "solver").mkdir()
    (tmp_path / "solver" / "main.py").write_text(AGENT)
    solved = cli(
        "run", family, "--agent", tmp_path / "solver", "--env", "MODEL_KEY=mine", *secrets,
    )  # fmt: skip
    assert solved.code == 0, solved.said
    assert [one.split()[-1] for one in solved.text.splitlines()] == ["1", "1", "1"]

    (tmp_path / "replay.yaml").write_text("- run: id -un\n- score\n- submit: '0'\n")
    again = cli("run", family / "3", "--agent", tmp_path / "replay.yaml", *secrets)
    assert "score 1" in again.said.splitlines()[-1], again.said
    assert '"keep": "going"' in again.text
    assert "\nagent\n" in again.text

    listed = cli("ls", "--label", "agent=solver", "--json").json
    assert sorted(one["name"] for one in listed) == [
        "adding/3", "adding/Large-2", "adding/small",
    ]  # fmt: skip
    small = next(one for one in listed if one["name"] == "adding/small")
    assert (small["limits"]["cpus"], small["limits"]["memory"]) == (0.5, 429_496_729)


def test_what_is_refused_leaves_nothing_queued(cli: Cli, family: Path, tmp_path: Path) -> None:
    secrets = with_secrets(family)
    (tmp_path / "adding").mkdir()
    for arguments, code, told in (
        ((family / "smal", "--submission", "3", *secrets), 65, "hint: is it small?"),
        ((family / "small", "--submission", "3"), 65, "variables that are not set: SCORER_KEY"),
        ((family / "small", *secrets), 65, "nobody is to attempt the task"),
        ((tmp_path / "adding", "--submission", "3"), 65, "is no task family"),
        ((family.parent / "addng",), 66, "hint: is it "),
        ((family / "small", "--submission", "@/no/such"), 66, "/no/such: no such file"),
    ):
        ended = cli("run", *arguments)
        assert (ended.code, told in ended.said) == (code, True), ended.said
    assert cli("ls", "--json").json == []


def test_a_family_that_is_wrong_is_told_with_file_and_line(cli: Cli, tmp_path: Path) -> None:
    place = tmp_path / "wrong"
    place.mkdir()
    (place / "wrong.py").write_text("class TaskFamily:\n    def x(:\n")
    # The build's own traceback is told as it is.
    ended = finish(cli.start("run", place / "main", "--submission", "1"))
    assert ended.code == 69
    assert "SyntaxError: invalid syntax (wrong.py, line 2)" in ended.said
    (place / "manifest.yaml").write_text("tasks:\n  main:\n    resource: {}\n")
    ended = cli("run", place / "main", "--submission", "1")
    assert ended.code == 65
    assert "manifest.yaml, line 3: tasks.main: unknown key 'resource'" in ended.said
    assert "is it resources?" in ended.said


def test_programs_run_families_too(family: Path, tmp_path: Path) -> None:
    secrets = {"SCORER_KEY": "sesame", "INSTALL_KEY": "open"}
    with Box(data_dir=tmp_path / "box") as box:
        handle = box.submit(f"{family}/Large-2", submission="30", secrets=secrets)
        assert handle.result().score.value == 1.0
        handles = box.submit_many([family], agent="echo 3 > submission.txt", secrets=secrets)
        scores = {one.evaluation.spec.name: one.result().score.value for one in handles}
        assert scores == {"adding/small": 1.0, "adding/Large-2": 0.0, "adding/3": 0.0}
