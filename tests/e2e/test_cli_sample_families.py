"""The sample families on real gVisor: each shows what it is for, and gives the score it is to."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_harness import SAMPLES, Cli, finish
from service_harness import serving

pytestmark = [pytest.mark.gvisor, pytest.mark.timeout(300)]

FAMILIES = SAMPLES / "families"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """One box for all: each image is built once."""
    cli = Cli(tmp_path_factory.mktemp("families"))
    assert cli("images", "build", "--task-standard", patience=280).code == 0
    yield cli
    cli("images", "prune", "--yes", "--unused", "0s")


@dataclass(frozen=True)
class Expected:
    """``scores`` by task; a word for what is no number: the kind of the score, or the outcome."""

    family: str
    options: tuple[str, ...]
    scores: dict[str, float | str]
    said: tuple[str, ...] = ()
    unsaid: tuple[str, ...] = ()


def solved(family: str, by: str) -> tuple[str, str]:
    return ("--agent", str(FAMILIES / family / by))


SAMPLE_RESULTS = [
    Expected("sums", solved("sums", "solve.yaml"), {"small": 1, "Large-1": 1, "3": 1}),
    Expected("sums", ("--submission", "42"), {"small": 1, "Large-1": 0, "3": 0}),
    Expected("essay", ("--submission", "It rains."), {"rain": "manual", "bread": "manual"}),
    Expected("essay", ("--submission", " "), {"rain": 0, "bread": 0}),
    Expected("guess/shown", solved("guess", "search.yaml"), {"shown": 0.97}, ('"score": 0.97',)),
    Expected(
        "guess/hidden",
        solved("guess", "search.yaml"),
        {"hidden": 0.97},
        said=('{"guess": 40}',),
        unsaid=("0.97", "away"),
    ),
    Expected("recipes", solved("recipes", "solve.yaml"), {"longest": 1, "shortest": 1}),
    Expected(
        "vault/open",
        solved("vault", "look.yaml"),
        {"open": 0},
        said=("Permission denied",),
        unsaid=("sesame-from-the-file",),
    ),
    Expected("vault", ("--submission", "sesame-from-the-file\n"), {"open": 1}),
    Expected("reach", solved("reach", "look.yaml"), {"online": 1, "offline": 1}),
    Expected("narrow", solved("narrow", "take.yaml"), {"fits": 1, "bursts": "out_of_memory"}),
    Expected("clockwork/wind", solved("clockwork", "wind.yaml"), {"wind": 1}, ("the clock stops",)),
    Expected("talkative/long", ("--submission", "quiet"), {"long": 0.25}, ("bytes left out",)),
    Expected(
        "heldout/sort",
        solved("heldout", "solve.yaml"),
        {"sort": 0.75},
        said=("/protected/tests.json: Permission denied",),
    ),
]


@pytest.mark.parametrize(
    "expected", SAMPLE_RESULTS, ids=lambda one: f"{one.family}-{one.options[0]}"
)
def test_a_sample_family_gives_the_score_it_is_to(
    cli: Cli, expected: Expected, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.env"
    secrets.write_text("VAULT_WORD=sesame-from-the-file\n")
    ended = cli(
        *("run", FAMILIES / expected.family, *expected.options, "--secrets", secrets, "--json"),
        patience=120,
    )
    found = ended.json
    told = found if isinstance(found, list) else [found]
    assert {one["name"].partition("/")[2]: verdict(one) for one in told} == expected.scores
    printed = "".join(one.get("stdout", "") + one.get("stderr", "") for one in told)
    for text in expected.said:
        assert text in printed
    for text in expected.unsaid:
        assert text not in printed


def verdict(told: dict[str, Any]) -> Any:
    score = told["score"]
    if score is None:
        return told["outcome"]
    return score["value"] if score["kind"] == "number" else score["kind"]


WORK = "cat instructions.txt; id -un; echo 30 >guess.txt; score"


@pytest.fixture
def opened(cli: Cli) -> Iterator[subprocess.Popen[bytes]]:
    """A task that is open for a person, whose id it has printed or will; nobody else works."""
    started = cli.start("task", "start", FAMILIES / "guess/shown")
    yield started
    if started.poll() is None:
        # It cancels what it has opened.
        finish(started, signal.SIGINT)


def test_a_person_attempts_a_task(cli: Cli, opened: subprocess.Popen[bytes]) -> None:
    assert opened.stdout is not None
    reference = opened.stdout.readline().decode().strip()
    worked = cli("task", "shell", reference, stdin=WORK.encode())
    assert "Write a whole number from 1 to 100" in worked.text
    assert "counts.agent\n" in worked.text
    assert '"score": 0.93' in worked.text
    assert cli("task", "score", reference).text.splitlines()[1] == "guess: 30"
    assert cli("task", "score", reference, "--json").json["message"] == {"guess": 30}
    done = cli("task", "submit", reference, "--submission", "mine\n", "--json")
    assert (done.code, done.json["score"]["value"]) == (0, 0.93)
    ended = finish(opened)
    assert ended.code == 0
    assert f"evalbox task submit {done.json['short_id']}" in ended.said
    kept = cli("artifacts", reference, "--get", "home/agent/submission.txt", "-o", "-")
    assert kept.out == b"mine\n"
    assert cli("task", "score", reference).code != 0


TURN = 'import urllib.request as u; print(u.urlopen("http://localhost:8000/", b"").read())'


def test_a_person_attempts_a_task_of_a_service(cli: Cli) -> None:
    with serving(cli):
        started = cli("task", "start", FAMILIES / "clockwork/wind", patience=120)
        assert started.code == 0, started
        reference = started.text.strip()
        turns = [cli("task", "shell", reference, "--", "python3", "-c", TURN) for _ in range(3)]
        assert [one.text for one in turns] == ["b'1'\n", "b'2'\n", "b'3'\n"]
        asked = cli("task", "score", reference)
        assert asked.code == 120
        assert "this task has no scores before its end" in asked.said
        done = cli("task", "submit", reference)
        assert (done.code, done.text) == (0, "score 1\n")
        assert "RuntimeError" not in started.said


def test_a_person_names_one_task(cli: Cli) -> None:
    ended = cli("task", "start", FAMILIES / "guess")
    assert ended.code == 65
    assert "guess/shown, guess/hidden" in ended.said


def test_a_new_family_runs_as_it_is_and_is_checked(cli: Cli) -> None:
    assert cli("tasks", "new", "reversal").text.splitlines()[0] == "reversal/reversal.py"
    checked = cli("tasks", "check", "reversal", "--agent", "reversal/solve.yaml", "--json")
    assert checked.code == 0, checked
    found = {(one["what"], one["how"]): one for one in checked.json}
    assert all(one["well"] for one in found.values())
    assert found["word", "empty submission"]["score"]["value"] == 0
    assert found["sentence", "given submission"]["score"]["value"] == 1
    assert ("tests", "pytest") in found
    again = cli("tasks", "new", "reversal")
    assert again.code == 65
    assert "is there already" in again.said


def test_what_is_broken_in_a_family_is_found(cli: Cli) -> None:
    cli("tasks", "new", "broken")
    source = cli.work / "broken/broken.py"
    source.write_text(source.read_text().replace("return 1.0 if", "return 'x' if"))
    checked = cli("tasks", "check", "broken", "--submission", "desserts")
    assert checked.code == 1
    lines = {tuple(line.split()[:2]): line for line in checked.text.splitlines()}
    assert "broken" in lines["tests", "pytest"]
    assert "the score is of type str" in lines["word", "given"]
    assert " ok " in lines["word", "empty"]
    source.write_text("class TaskFamily(:")
    # Quiet, as what the build prints is the family's traceback.
    checked = cli("--quiet", "tasks", "check", "broken")
    assert checked.code == 1
    assert "SyntaxError" in checked.text


@pytest.mark.parametrize("name", ["json", "Capital", "a-b", "1st"])
def test_a_name_that_is_none_for_a_family(cli: Cli, name: str) -> None:
    ended = cli("tasks", "new", name)
    assert ended.code == 65
    assert not (cli.work / name).exists()


def test_the_manifest_of_a_sample_makes_its_limits(cli: Cli) -> None:
    ended = cli("run", FAMILIES / "narrow/fits", "--submission", "done", "--json")
    found = ended.json[0] if isinstance(ended.json, list) else ended.json
    limits = found["limits"]
    assert (limits["cpus"], limits["memory"], limits["disk"]) == (0.5, 1 << 28, 1 << 29)
    assert (ended.code, found["network"]) == (0, "none")


def test_without_its_variable_a_family_does_not_start(cli: Cli) -> None:
    ended = cli("run", FAMILIES / "vault/open", "--submission", "x")
    assert ended.code == 65
    assert "VAULT_WORD" in ended.said
