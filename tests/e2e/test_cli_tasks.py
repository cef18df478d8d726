"""What can be run, as the command tells it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_harness import SAMPLES, Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, engine="fake")


def test_the_samples_are_listed_and_run_as_they_are_listed(cli: Cli) -> None:
    listed = cli("tasks", "--json")
    assert listed.code == 0
    by_name = {task["name"]: task for task in listed.json}
    hello = by_name["hello/hello.sh"]
    assert hello["path"] == str(SAMPLES / "hello" / "hello.sh")
    assert (hello["kind"], hello["language"]) == ("script", "shell")
    assert hello["summary"] == "Says hello from a shell."
    shown = cli("tasks", "list").text
    assert "hello/hello.sh" in shown
    assert "Says hello from a shell." in shown
    # What it is and where it is, is nothing that the box has to be asked for.
    assert not cli.data.exists()


def test_tasks_of_ones_own(cli: Cli) -> None:
    near, registered = cli.work / "tasks", cli.work / "elsewhere"
    for directory in (near, registered):
        directory.mkdir()
    (near / "a\x1b[2J.py").write_text('"""\x1b]0;owned\x07Counts."""')
    (registered / "b.js").write_text("// Sums up.")
    cli.env["EVALBOX_TASK_DIRS"] = f"{registered}:{cli.work / 'gone'}"
    listed = cli("tasks", "ls")
    assert "\x1b" not in listed.text
    assert "tasks/a^[[2J.py" in listed.text
    assert "Sums up." in listed.text
    assert "gone: no such file or directory" in listed.said
    only = cli("tasks", "ls", str(registered), "--json")
    assert [task["name"] for task in only.json] == ["b.js"]
    nothing = cli("tasks", "ls", str(cli.work / "gone"))
    assert (nothing.code, nothing.text) == (0, "")
    assert "there are no tasks" in nothing.said


def test_the_setting_is_told(cli: Cli) -> None:
    cli.env["EVALBOX_TASK_DIRS"] = "/a:/b"
    assert cli("config", "--json").json["task_dirs"] == {
        "value": "/a:/b", "from": "EVALBOX_TASK_DIRS",
    }  # fmt: skip
