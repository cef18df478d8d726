"""What a batch file comes to: which tasks a pattern means, and by whom they are attempted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from evalbox.batches.file import BatchFile, parse_batch
from evalbox.batches.plan import content, units
from evalbox.domain.evaluation import EvaluationSpec, InputFile
from evalbox.domain.limits import MIB, Limits
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.requests.attempts import PreparedFamily
from evalbox.requests.request import Defaults

SAMPLES = Path(__file__).parents[2] / "sample_tasks"
_FAMILY = "class TaskFamily:\n    pass\n"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("one.py", "two.sh", "nested/three.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("print(1)\n")
    (tmp_path / "data.csv").write_text("1,2\n")
    (tmp_path / "link.py").symlink_to("/etc/hostname")
    (tmp_path / "fam" / "inner").mkdir(parents=True)
    (tmp_path / "fam" / "fam.py").write_text(_FAMILY)
    (tmp_path / "fam" / "inner" / "helper.py").write_text("print(2)\n")
    return tmp_path


def read(place: Path, tasks: str, rest: str = "") -> BatchFile:
    return parse_batch(f"name: x\ntasks: {tasks}\n{rest}".encode(), place / "batch.yaml")


def planned(place: Path, tasks: str, rest: str = "") -> list[tuple[str, str]]:
    made = units(read(place, tasks, rest), Defaults("fake", "image"), now=0.0)
    return [(unit.title, unit.agent) for unit in made]


_AGENT = "agents: [echo 1]\n"


@pytest.mark.parametrize(
    ("tasks", "names"),
    [
        ("['*']", ["fam/*", "one.py", "two.sh"]),
        ("['**']", ["fam/*", "three.py", "one.py", "two.sh"]),
        ("['*.py']", ["one.py"]),
        ("['fam/*']", ["fam/*"]),
        ("['fam/easy_*']", ["fam/easy_*"]),
        ("[fam/easy]", ["fam/easy"]),
        ("[{path: fam, tasks: [a, b*]}]", ["fam/a,b*"]),
        ("[fam/fam.py]", ["fam.py"]),
    ],
)
def test_what_patterns_mean(place: Path, tasks: str, names: list[str]) -> None:
    assert [name for name, _ in planned(place, tasks, _AGENT)] == names


def test_agents_attempt_families_and_others_run_scripts(place: Path) -> None:
    rest = "agents: [{name: s, submission: '1'}, {name: w, arguments: [x]}, {agent: echo 1}]\n"
    assert planned(place, "[fam, one.py]", rest) == [
        ("fam/*", "s"), ("fam/*", "echo 1"), ("one.py", "w"),
    ]  # fmt: skip
    assert planned(place, "[one.py]") == [("one.py", "")]
    with pytest.raises(InvalidInput, match=r"batch.yaml, line 2: .*nobody"):
        planned(place, "[fam]")


def test_what_only_some_understand_may_stand_at_the_top(place: Path) -> None:
    (place / "secrets").write_text("KEY=value\n")
    rest = _AGENT + "secrets: secrets\nscore: s.json\ndeadlines: {score: 5m}\nlimits: {cpus: 0.5}\n"
    family, script = units(read(place, "[fam, one.py]", rest), Defaults(), now=0.0)
    assert isinstance(family.asked, PreparedFamily)
    assert (family.asked.secrets, family.asked.limits["cpus"]) == ({"KEY": "value"}, 0.5)
    assert (script.asked.spec.score, script.asked.spec.limits.cpus) == ("s.json", 0.5)
    with pytest.raises(InvalidInput, match="score"):
        planned(place, "[{path: fam, score: s.json}]", _AGENT)


def test_files_are_those_beside_the_batch_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    (place / "answer.txt").write_text("42")
    rest = "agents: [{name: a, submission: '@answer.txt'}, {name: b, agent: one.py}]\n"
    first, second = units(read(place, "[fam]", rest), Defaults(), now=0.0)
    assert isinstance(first.asked, PreparedFamily)
    assert isinstance(second.asked, PreparedFamily)
    assert first.asked.agent.files[0].content == b"42"
    assert second.asked.agent.files[0].path.endswith("/one.py")


def test_what_makes_an_evaluation_another_and_what_does_not() -> None:
    spec = EvaluationSpec("t", ("true",), "image", env={"A": "1"})
    known = content(spec, ["A=1"])
    driver = InputFile("/root/.evalbox/driver.pyz", "ab" * 32, 9)
    same = [
        replace(spec, labels={"k": "v"}), replace(spec, not_before=5.0),
        replace(spec, env={"A": "rotated"}), replace(spec, inputs=(driver,)),
    ]  # fmt: skip
    other = [
        replace(spec, command=("false",)), replace(spec, limits=Limits(memory=64 * MIB)),
        replace(spec, inputs=(InputFile("/home/agent/x", "cd" * 32, 1),)),
        replace(spec, env={"A": "1", "B": ""}),
    ]  # fmt: skip
    assert {content(one, ["A=1"]) for one in same} == {known}
    assert known not in {content(one, ["A=1"]) for one in other}
    assert content(spec, ["A=2"]) != known


@pytest.mark.parametrize("path", sorted((SAMPLES / "batches").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_samples_can_be_planned(path: Path) -> None:
    assert units(parse_batch(path.read_bytes(), path), Defaults(), now=0.0)


@pytest.mark.parametrize(
    "source",
    [
        b"\xff", b"- a\n", b"a: [", b"name: x\ntasks: {}\n", b"name: [x]\ntasks: [a]\n",
        b"name: '\x1b[1m'\ntasks: [one.py]\n", b"name: x\ntasks: [a\x00b]\n",
        b"name: x\ntasks: ['" + b"a" * 5000 + b"']\n", b"name: x\ntasks: ['[']\n",
        b"name: x\ntasks: [one.py]\nmatrix: {A: 1}\n", b"name: x\ntasks: [one.py]\nepochs: 1e9\n",
        b"name: x\ntasks: [one.py]\npass_score: .nan\n", b"name: x\ntasks: [one.py]\nepochs: 1.5\n",
        b"name: x\ntasks: [one.py]\nmatrix: {'A B': [1]}\n", b"name: x\ntasks: [/dev/zero]\n",
        b"name: x\ntasks: [one.py]\nagents: [{agent: a, submission: b}]\n",
        b"name: x\ntasks: [one.py]\nepochs: 10000\nmatrix: {A: [1,2,3,4,5,6,7,8,9,10,11]}\n",
    ],
)  # fmt: skip
def test_whatever_is_in_it_the_error_is_ours(place: Path, source: bytes) -> None:
    with pytest.raises(EvalboxError):
        units(parse_batch(source, place / "batch.yaml"), Defaults(), now=0.0)
