"""The sample families on real gVisor: each shows what it is for, and gives the score it is to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cli_harness import SAMPLES, Cli

pytestmark = [pytest.mark.gvisor, pytest.mark.timeout(300)]

FAMILIES = SAMPLES / "families"


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """One box for all: each image is built once."""
    cli = Cli(tmp_path_factory.mktemp("families"))
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
        "run", FAMILIES / expected.family, *expected.options, "--secrets", secrets, "--json"
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
