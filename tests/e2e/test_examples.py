"""The examples, run as a user runs them: on gVisor, alone and against a service."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cli_harness import Cli

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

#: For each: its arguments, and what it has to print.
EXPECTED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "run_script": ((), ("ok 0", "sum 42", '{"sum": 42}')),
    "many_in_parallel": (("6",), ("6 of 6",)),
    "agent_loop": ((), ("$ grep -c needle big.txt", "ANSWER 143")),
    "follow_feed": ((), ("evaluation.completed", "batch.finished", "3")),
    "webhook_receiver": ((), ("evaluation.completed told-of",)),
    "remote_box": ((), ("step 0", "step 2", "ok")),
    "reduce_batch": ((), ("30\n",)),
    "environment": ((), ("0 1 4",)),
}

pytestmark = [pytest.mark.docker, pytest.mark.gvisor]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A service, and how it is reached."""
    cli = Cli(tmp_path_factory.mktemp("served"))
    key = cli("keys", "create", "examples", "--scope", "admin").text.strip()
    environment = {**cli.env, "EVALBOX_WEBHOOK_PRIVATE": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "evalbox", "--serve"],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        url = next(
            word.rstrip(",;")
            for line in process.stderr
            for word in line.split()
            if word.startswith("http://")
        )
        yield {"EVALBOX_URL": url, "EVALBOX_KEY": key}
        process.terminate()
        process.communicate()


def run(name: str, environment: Mapping[str, str]) -> str:
    arguments, _ = EXPECTED[name]
    done = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONWARNINGS": "error", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("number", [0, 1])
def test_what_the_documentation_shows_runs(number: int, tmp_path: Path) -> None:
    shown = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "sdk.md").read_text(), re.DOTALL)
    assert len(shown) == 2
    done = subprocess.run(
        [sys.executable, "-c", shown[number]],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == ("ok 2", "0 b'hello\\n'")[number]


def test_every_example_is_run() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_embedded(name: str, tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "EVALBOX_DATA_DIR": str(tmp_path / "box"),
        "EVALBOX_WEBHOOK_PRIVATE": "1",
    }
    printed = run(name, environment)
    for text in EXPECTED[name][1]:
        assert text in printed


@pytest.mark.parametrize("name", EXPECTED)
def test_against_a_service(name: str, service: dict[str, str], tmp_path: Path) -> None:
    printed = run(name, {"HOME": str(tmp_path), **service})
    for text in EXPECTED[name][1]:
        assert text in printed
