"""Manifests, build steps, descriptions and paths of families."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.limits import GIB
from evalbox.errors import InvalidInput, TaskError
from evalbox.tasks.catalogue import catalogue
from evalbox.tasks.standard.description import FamilyFacts, TaskFacts, read_description
from evalbox.tasks.standard.family import declared, parsed, read, wants_machine
from evalbox.tasks.standard.format import Place, find, near
from evalbox.tasks.standard.manifest import Manifest, TaskManifest, read_manifest
from evalbox.tasks.standard.steps import read_steps

MODULE = '"""Counts."""\nclass TaskFamily:\n    pass\n'


def manifest(text: str) -> Manifest:
    return read_manifest(text.encode(), "manifest.yaml")


def steps(value: Any) -> Any:
    return read_steps(json.dumps(value).encode(), "build_steps.json")


def family(place: Path, name: str, source: str = MODULE) -> Path:
    directory = place / name
    directory.mkdir(parents=True)
    (directory / f"{name}.py").write_text(source)
    return directory


def test_a_manifest_says_limits_and_scoring() -> None:
    found = manifest(
        """
        version: 1.0
        meta: {any: [thing, {at: all}]}
        tasks:
          main: &one
            version: "2"
            resources:
              gpu: {count_range: [1, 8], model: h100}
              cpus: 0.5
              memory_gb: 1.5
              storage_gb: 10
            scoring: {visible_to_agent: false, score_on_usage_limits: true, instructions: none}
            meta: {x: 1}
          1: *one
          bare:
        """
    )
    main = found.of("main")
    assert main.resources == {"cpus": 0.5, "memory": 3 * GIB // 2, "disk": 10 * GIB}
    assert str(main.gpus) == "1 to 8 GPUs (h100)"
    assert (main.visible, main.score_on_limits, main.version) == (False, True, "2")
    assert found.of("1") == main
    assert found.of("bare") == found.of("not listed") == TaskManifest()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tasks:\n  a:\n    resource: {}", "line 3: tasks.a: unknown key 'resource'"),
        ("task: {}", "line 1: unknown key 'task'"),
        ("tasks: {a: {resources: {gpu: {count: 1}}}}", "tasks.a.resources.gpu: unknown key"),
        ("tasks: []", "tasks: is to be a mapping"),
        ("- a", "line 1: is to be a mapping"),
        ("tasks: {a: {}, a: {}}", "key 'a' stands there twice"),
        ("tasks: {a: {resources: {cpus: 0}}}", "cpus: 0 is out of range"),
        ("tasks: {a: {resources: {cpus: .nan}}}", "cpus: nan is out of range"),
        ("tasks: {a: {resources: {memory_gb: .inf}}}", "memory_gb: inf is out of range"),
        ("tasks: {a: {resources: {cpus: two}}}", "cpus: is to be a number"),
        ("tasks: {a: {resources: {cpus: true}}}", "cpus: is to be a number"),
        ("tasks: {a: {resources: {gpu: {count_range: [2, 1]}}}}", "more than the most"),
        ("tasks: {a: {resources: {gpu: {count_range: [1]}}}}", "a list of two"),
        ("tasks: {a: {resources: {gpu: {count_range: [0.5, 1]}}}}", "whole number"),
        ("tasks: {a: {scoring: {visible_to_agent: 'no'}}}", "true or false"),
        ("tasks: {a: {version: }}", "version: is empty"),
        ("tasks: {a: {version: {}}}", "version: is to be text"),
        ("tasks: {a: {<<: 1}}", "<< is to merge a mapping"),
        ("tasks: {a: }\n b", "line 2: is no YAML"),
        ("a: !!python/object/apply:os.system [x]", "unknown key 'a'"),
        ("[" * 5000, "nested too deeply"),
        ("{a: *b}", "is no YAML"),
        ("a\0b", "is no YAML"),
    ],
)
def test_a_wrong_manifest_is_told_with_its_place(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        manifest(text)
    assert error.value.message.startswith("manifest.yaml")
    assert told in error.value.message


def test_an_unknown_key_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(InvalidInput) as error:
        manifest("tasks: {a: {resources: {memory: 1}}}")
    assert error.value.hint == "is it memory_gb?"


@given(st.text(max_size=80))
def test_any_text_is_a_manifest_or_wrong_in_words(text: str) -> None:
    with suppress(InvalidInput):
        manifest(text)


def test_no_manifest_of_one_that_is_empty() -> None:
    assert manifest("") == manifest("# nothing") == manifest("tasks:") == Manifest()


def test_build_steps() -> None:
    assert steps(
        [
            {"type": "file", "source": "assets/", "destination": "data/"},
            {"type": "file", "source": "a/../b", "destination": "/opt/b"},
            {"type": "shell", "commands": ["true", "echo x"]},
        ]
    ) == (
        {"type": "file", "source": "assets/", "destination": "/root/data/"},
        {"type": "file", "source": "a/../b", "destination": "/opt/b"},
        {"type": "shell", "commands": ["true", "echo x"]},
    )


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({}, "is to be a list"),
        ([1], 'step 1: is to have a "type"'),
        ([{"type": "copy"}], 'step 1: is to have a "type"'),
        ([{"type": ["shell"]}], 'step 1: is to have a "type"'),
        ([{"type": "shell"}], "step 1: has no commands"),
        ([{"type": "shell", "commands": []}], "is to be a list of shell commands"),
        ([{"type": "shell", "commands": [1]}], "is no command"),
        ([{"type": "shell", "commands": ["a"], "env": {}}], "unknown key 'env'"),
        ([{"type": "file", "source": "a"}], "has no destination"),
        ([{"type": "file", "source": "/etc/passwd", "destination": "x"}], "outside"),
        ([{"type": "file", "source": "../x", "destination": "x"}], "outside"),
        ([{"type": "file", "source": "a/../../x", "destination": "x"}], "outside"),
        ([{"type": "file", "source": "", "destination": "x"}], "is no path"),
        ([{"type": "file", "source": "a\0", "destination": "x"}], "is no path"),
    ],
)
def test_wrong_build_steps_are_told(value: Any, told: str) -> None:
    with pytest.raises(InvalidInput) as error:
        steps(value)
    assert error.value.message.startswith("build_steps.json")
    assert told in error.value.message


def test_build_steps_that_are_no_json() -> None:
    with pytest.raises(InvalidInput, match="line 2: is no JSON"):
        read_steps(b"[\n]]", "build_steps.json")
    with pytest.raises(InvalidInput, match="nested too deeply"):
        read_steps(b"[" * 100_000, "build_steps.json")


def test_what_a_path_means(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = family(tmp_path, "count")
    assert find(directory) == Place(directory, "count")
    assert find(directory / "hard") == Place(directory, "count", "hard")
    assert find(directory / "count.py") is None
    assert find(directory / "count.py", certain=True) is not None
    assert find(tmp_path) is None
    assert find(tmp_path / "none" / "main") is None
    family(tmp_path, "package", "x = 1")
    assert find(tmp_path / "package") is None
    monkeypatch.chdir(directory)
    assert find(Path()) == Place(Path(), "count")
    monkeypatch.chdir(tmp_path)
    assert find(Path("a\0b")) is None
    assert find(Path("x" * 5000)) is None


def test_what_may_have_been_meant(tmp_path: Path) -> None:
    directory = family(tmp_path, "count_odds")
    assert near(tmp_path / "count_od") == f"is it {directory}?"
    assert near(tmp_path / "count_od" / "main") == f"is it {directory}/main?"
    assert near(Path("/nowhere/x")) == ""


def test_a_family_is_one_task_in_the_catalogue(tmp_path: Path) -> None:
    directory = family(tmp_path, "count")
    (directory / "helper.py").write_text("")
    family(tmp_path, "package", "x = 1")
    found = catalogue([tmp_path])
    assert [(one.name, one.kind, one.summary) for one in found.tasks] == [
        ("count", "task-standard", "Counts."),
        ("package/package.py", "script", ""),
    ]


def test_a_family_is_read_whole(tmp_path: Path) -> None:
    directory = family(tmp_path, "count")
    assert read(Place(directory, "count")).manifest == Manifest()
    (directory / "manifest.yaml").write_text("x: 1")
    with pytest.raises(InvalidInput, match=r"count/manifest\.yaml, line 1"):
        read(Place(directory, "count"))


def facts(**given: Any) -> FamilyFacts:
    told = {"tasks": {"a": {"permissions": [], "machine": False}}, "required": []}
    return read_description(json.dumps(told | given), "count")


def test_what_an_image_says() -> None:
    found = facts(
        tasks={
            "a": {"permissions": ["full_internet"], "machine": False},
            "b": {"permissions": [], "machine": True},
        },
        required=["KEY", "KEY"],
    )
    assert found == FamilyFacts(
        {"a": TaskFacts(internet=True), "b": TaskFacts(machine=True)}, ("KEY",)
    )


@pytest.mark.parametrize(
    "given",
    [
        {"tasks": []}, {"tasks": ["a"]}, {"tasks": {"": {}}}, {"tasks": {"a": []}},
        {"tasks": {"a": {"permissions": "full_internet", "machine": False}}},
        {"tasks": {"a": {"permissions": [], "machine": 1}}}, {"required": "KEY"},
        {"required": ["A B"]}, {"required": [1]}, {"required": None},
    ],
)  # fmt: skip
def test_an_image_that_says_something_else_is_an_error(given: dict[str, Any]) -> None:
    with pytest.raises(TaskError, match="does not say"):
        facts(**given)


@given(st.text() | st.from_regex(r'\{"tasks": \{.*\}, "required": \[.*\]\}', fullmatch=True))
def test_no_description_raises_anything_else(text: str) -> None:
    with suppress(TaskError):
        read_description(text, "count")


def test_tasks_are_chosen_by_name_and_by_pattern() -> None:
    found = FamilyFacts({name: TaskFacts() for name in ("main", "hard", "hard-2", "1")})
    assert found.chosen("f", "1", ()) == ("1",)
    assert found.chosen("f", None, ()) == ("main", "hard", "hard-2", "1")
    assert found.chosen("f", None, ("hard*", "1")) == ("hard", "hard-2", "1")
    with pytest.raises(InvalidInput) as error:
        found.chosen("f", "mian", ())
    assert error.value.hint == "is it main?"
    with pytest.raises(InvalidInput, match="no task like 'x\\*'"):
        found.chosen("f", None, ("hard", "x*"))
    with pytest.raises(InvalidInput, match="has no tasks"):
        FamilyFacts({}).chosen("f", None, ())
    many = FamilyFacts({f"task{number}": TaskFacts() for number in range(10_000)})
    with pytest.raises(InvalidInput) as error:
        many.chosen("f", "zzz", ())
    assert error.value.hint.endswith("and 9,992 more")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (b"class TaskFamily:\n    required_environment_variables = ['A', 'B']\n", ("A", "B")),
        (b"class TaskFamily:\n    required_environment_variables: list[str] = ('A',)\n", ("A",)),
        (b"class TaskFamily:\n    required_environment_variables = [*OTHERS, 'A', 1]\n", ("A",)),
        (b"required_environment_variables = names()\n", ()),
        (b"x = required_environment_variables\n", ()),
        (b"def broken(:\n", ()),
        (b"\x00", ()),
        (b"(" * 5000, ()),
        (b"", ()),
    ],
)
def test_variables_are_found_where_they_are_written_out(
    source: bytes, names: tuple[str, ...]
) -> None:
    assert declared(parsed(source)) == names


@pytest.mark.parametrize(
    ("body", "certain"),
    [
        ("return {'cpus': 2}", True),
        ("'Its machine.'\n        return {}", True),
        ("return None", False),
        ("return SPEC", False),
        ("if t:\n            return {}\n        return {}", False),
        ("pass", False),
    ],
)
def test_a_machine_is_certain_where_nothing_else_can_be_given(body: str, certain: bool) -> None:
    source = f"class TaskFamily:\n    @staticmethod\n    def get_aux_vm_spec(t):\n        {body}\n"
    assert wants_machine(parsed(source.encode())) is certain
    assert not wants_machine(parsed(source.replace("TaskFamily", "Other").encode()))
