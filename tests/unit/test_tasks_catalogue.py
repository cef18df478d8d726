"""What is found to run, and what is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evalbox.tasks import catalogue as catalogue_module
from evalbox.tasks.catalogue import HERE, MAX_DEPTH, Catalogue, catalogue, places, samples
from evalbox.tasks.summary import MAX_SUMMARY, heading_of, summary_of


def names(found: Catalogue) -> list[str]:
    return [task.name for task in found.tasks]


def test_the_samples_are_found_and_say_what_they_do() -> None:
    shipped = samples()
    assert shipped is not None
    found = catalogue([shipped])
    assert not found.problems
    by_name = {task.name: task for task in found.tasks}
    assert by_name["hello/hello.js"].language == "javascript"
    assert by_name["hello/hello.sh"].summary == "Says hello from a shell."
    assert by_name["hog/hog.py"].summary.startswith("Takes all it can get")
    assert all(task.summary for task in found.tasks)
    scripts = [task for task in found.tasks if task.kind == "script"]
    families = [task for task in found.tasks if task.kind == "task-standard"]
    assert all(task.size for task in scripts)
    assert families
    assert len(found.tasks) == len(scripts) + len(families)
    assert "data_analysis/temperatures.csv" not in by_name


def test_where_tasks_are_looked_for(tmp_path: Path) -> None:
    shipped = samples()
    assert places([tmp_path / "a"], tmp_path) == (tmp_path / "a", shipped)
    (tmp_path / HERE).mkdir()
    assert places([tmp_path / HERE, tmp_path / "a"], tmp_path) == (
        tmp_path / HERE, tmp_path / "a", shipped,
    )  # fmt: skip


def test_only_what_can_be_run_is_listed(tmp_path: Path) -> None:
    (tmp_path / "b.py").write_text("print()")
    (tmp_path / "perl").write_text("#!/usr/bin/perl -w\n# Counts.\n")
    (tmp_path / "env").write_text("#!/usr/bin/env -S bash -e\n")
    (tmp_path / "binary.py").write_bytes(b"\0\1\2")
    (tmp_path / "notes.txt").write_text("no program")
    (tmp_path / ".hidden.py").write_text("print()")
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "left.js").write_text("")
    found = catalogue([tmp_path])
    assert [(task.name, task.language) for task in found.tasks] == [
        ("b.py", "python"), ("env", "bash"), ("perl", "perl"),
    ]  # fmt: skip
    assert found.tasks[2].summary == "Counts."


def test_no_link_leads_out_and_nothing_special_is_opened(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "secret.py").write_text('"""Secret."""')
    (inside / "file.py").symlink_to(outside / "secret.py")
    (inside / "directory").symlink_to(outside)
    (inside / "round").symlink_to(inside)
    (inside / "README.md").symlink_to(outside / "secret.py")
    (inside / "real.py").write_text("print()")
    os.mkfifo(inside / "pipe.py")
    found = catalogue([inside])
    assert names(found) == ["real.py"]
    assert found.tasks[0].summary == ""
    # A root that is a link was named by the user.
    (tmp_path / "link").symlink_to(outside)
    assert names(catalogue([tmp_path / "link"])) == ["secret.py"]


def test_the_walk_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path
    for level in range(MAX_DEPTH + 2):
        (deep / f"{level}.py").write_text("")
        deep /= "d"
        deep.mkdir()
    assert len(catalogue([tmp_path]).tasks) == MAX_DEPTH + 1

    for number in range(20):
        (tmp_path / f"t{number}.py").write_text("")
    monkeypatch.setattr(catalogue_module, "MAX_TASKS", 5)
    found = catalogue([tmp_path])
    assert len(found.tasks) == 5
    assert found.problems == (f"{tmp_path}: only the first 5 tasks are listed",)

    monkeypatch.setattr(catalogue_module, "MAX_TASKS", 1000)
    monkeypatch.setattr(catalogue_module, "MAX_LOOKED", 10)
    found = catalogue([tmp_path])
    assert len(found.tasks) <= 10
    assert found.problems == (f"{tmp_path}: over 10 files, of which the rest is not looked at",)


def test_what_cannot_be_looked_at_is_told(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("")
    (tmp_path / "notes.txt").write_text("")
    found = catalogue([tmp_path / "one.py", tmp_path / "gone", tmp_path / "notes.txt", tmp_path])
    assert names(found) == ["one.py"]
    assert found.problems == (
        f"{tmp_path / 'gone'}: no such file or directory",
        f"{tmp_path / 'notes.txt'}: is no kind of task that evalbox knows",
    )


def test_a_readme_speaks_for_what_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("\n# Counts  *things*\n\ntext\n")
    (tmp_path / "silent.py").write_text("import sys\n")
    (tmp_path / "speaks.py").write_text("# Says so.\n")
    found = catalogue([tmp_path])
    assert [task.summary for task in found.tasks] == ["Counts *things*", "Says so."]


@pytest.mark.parametrize(
    ("source", "summary"),
    [
        ('"""One line."""\nimport os', "One line."),
        ('\ufeff"""\nLater.\n"""', "Later."),
        ("#!/usr/bin/env python3\n# -*- coding: utf-8 -*-\nr'''Raw.\nmore'''", "Raw."),
        ("'One.'", "One."),
        ("/**\n * Of a block.\n */\nrun()", "Of a block."),
        ("/* short */ run()", "short"),
        ("// SPDX-License-Identifier: MIT\n// Second.\n", "Second."),
        ("#!/bin/sh\n#\n# A  shell's.\necho", "A shell's."),
        ("import os\n# too late", ""),
        ('"""never ends', "never ends"),
        ("", ""),
        ("# " + "x" * 10_000, "x" * MAX_SUMMARY),
    ],
)
def test_the_summary_is_the_first_line_of_what_a_source_says(source: str, summary: str) -> None:
    assert summary_of(source) == summary


def test_a_heading_is_its_words() -> None:
    assert heading_of("## Two words\n") == "Two words"
    assert heading_of("\n\n") == ""
