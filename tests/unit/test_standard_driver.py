"""The driver of families, as far as it runs on any machine: no sandbox, no root."""

from __future__ import annotations

import io
import json
import math
import os
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.tasks.standard.driver import driver_archive
from evalbox.tasks.standard.inside import pump as pump_module
from evalbox.tasks.standard.inside.environ import exposing
from evalbox.tasks.standard.inside.family import Mistake, environment_for, judged
from evalbox.tasks.standard.inside.main import main
from evalbox.tasks.standard.inside.narration import write_all
from evalbox.tasks.standard.inside.operations import _entry
from evalbox.tasks.standard.inside.plan import DEADLINES, Plan, read_plan
from evalbox.tasks.standard.inside.process import Broken
from evalbox.tasks.standard.inside.pump import HEAD, TAIL, Pump
from evalbox.tasks.standard.inside.scoring import ScoreLog
from evalbox.tasks.standard.inside.users import kill_all, read_submission

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.complex_numbers(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    max_leaves=5,
)


@given(anything)
def test_only_a_finite_number_is_a_score(value: Any) -> None:
    verdict = judged(value)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is None:
        assert verdict == {"kind": "manual"}
    elif number and math.isfinite(value):
        assert (verdict["kind"], verdict["value"]) == ("number", float(value))
    else:
        assert verdict["kind"] == "invalid"
        assert verdict["reason"]
        assert "value" not in verdict
    assert len(json.dumps(verdict)) < 20_000


@given(st.integers(min_value=10**310, max_value=10**400))
def test_a_whole_number_beyond_all_floats_is_none(value: int) -> None:
    assert judged(value)["kind"] == judged(-value)["kind"] == "invalid"


def test_what_cannot_even_be_shown_is_none() -> None:
    class Sullen:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    class Counted(int):
        pass

    assert judged(Sullen())["raw"] == "something whose repr raises RuntimeError"
    assert judged(10**5000)["kind"] == "invalid"
    assert judged(Counted(3))["value"] == 3.0
    assert len(judged("x" * 10_000)["raw"]) < 600


def test_variables_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "")
    monkeypatch.delenv("GONE", raising=False)
    assert environment_for(["HERE"]) == {"HERE": ""}
    with pytest.raises(Mistake, match="not set: GONE, ALSO_GONE"):
        environment_for(["GONE", "HERE", "ALSO_GONE"])


@pytest.mark.parametrize(
    ("score", "given"), [({"kind": "number", "value": 2.0}, 2.0), ({"kind": "manual"}, None)]
)
def test_the_log_for_the_end_has_plain_scores(score: dict[str, Any], given: Any) -> None:
    entry = {"score": score, "message": {"a": 1}, "created_at": 5.0}
    assert _entry(entry) == {"score": given, "message": {"a": 1}, "created_at": 5.0}
    assert math.isnan(_entry({"score": {"kind": "invalid", "raw": "x"}})["score"])


def test_a_plan_has_a_deadline_for_each_phase(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps({"family": "f", "task": "a", "deadlines": {"start": 7}}))
    plan = read_plan(str(path), "b")
    assert (plan.task, plan.seconds("start"), plan.seconds("agent")) == (
        "b", 7.0, DEADLINES["agent"],
    )  # fmt: skip
    assert read_plan(str(path)).task == "a"
    path.write_text(json.dumps({"family": "f", "unknown": 1}))
    with pytest.raises(TypeError):
        read_plan(str(path))
    assert Plan("f").visible


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> bytearray:
    written = bytearray()

    def write(_descriptor: int, data: bytes) -> None:
        written.extend(data)

    monkeypatch.setattr(pump_module, "write_all", write)
    return written


def pumped(data: bytes) -> None:
    reader, writer = os.pipe()
    pump = Pump(reader)
    write_all(writer, data)
    os.close(writer)
    pump.settle(10)


def test_a_little_is_copied_whole(printed: bytearray) -> None:
    data = bytes(range(256)) * 1024
    pumped(data)
    assert printed == data


def test_of_much_both_ends_are_copied(printed: bytearray) -> None:
    data = b"".join(b"%09d\n" % line for line in range(200_000))
    pumped(data)
    left_out = len(data) - HEAD - TAIL
    assert printed == data[:HEAD] + b"\n... %d bytes left out ...\n" % left_out + data[-TAIL:]


def test_who_keeps_the_pipe_open_holds_nothing_up(printed: bytearray) -> None:
    reader, writer = os.pipe()
    pump = Pump(reader)
    os.write(writer, b"before")
    began = time.monotonic()
    pump.settle(0.2)
    assert time.monotonic() - began < 5
    assert printed == b"before"
    write_all(writer, b"x" * 1_000_000)
    os.close(writer)


def test_a_descriptor_that_does_not_block_is_written_all_the_same() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    got = bytearray()

    def read() -> None:
        with open(reader, "rb") as source:  # noqa: PTH123
            got.extend(source.read())

    thread = threading.Thread(target=read)
    thread.start()
    write_all(writer, b"y" * 1_000_000)
    os.close(writer)
    thread.join(30)
    assert len(got) == 1_000_000


class Taker:
    def __init__(self, *scores: dict[str, Any]) -> None:
        self._scores: Iterator[dict[str, Any]] = iter(scores)

    def __call__(self) -> dict[str, Any]:
        try:
            return {"score": next(self._scores), "message": {"m": 1}, "details": {"secret": 2}}
        except StopIteration:
            raise Broken("no more") from None


@pytest.mark.parametrize("visible", [True, False])
def test_the_agent_is_told_no_more_than_it_may_know(visible: bool) -> None:
    log = ScoreLog(
        Taker({"kind": "number", "value": 0.5}, {"kind": "invalid", "raw": "nan"}),
        visible=visible,
    )
    assert log.add() == {"message": {"m": 1}} | ({"score": 0.5} if visible else {})
    assert log.add() == {"message": {"m": 1}, "score": "invalid"}
    with pytest.raises(Broken):
        log.add()
    assert [one["details"] for one in log.entries] == [{"secret": 2}] * 2
    first, second = log.entries
    assert 0 <= first["elapsed_seconds"] <= second["elapsed_seconds"]
    assert first["created_at"] <= first["scored_at"] <= second["created_at"]


def test_a_submission_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "submission.txt"
    file.write_bytes(b"a\0\r\n\xff")
    assert read_submission(str(file), 5) == b"a\0\r\n\xff"
    with pytest.raises(ValueError, match="is longer than"):
        read_submission(str(file), 4)
    with pytest.raises(FileNotFoundError):
        read_submission(str(tmp_path / "none"), 4)


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_what_is_no_file_is_no_submission(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "submission.txt"
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(ValueError, match=r"cannot be read|no regular file"):
        read_submission(str(path), 100)


def test_what_forks_while_it_is_killed_is_killed_too() -> None:
    process = subprocess.Popen(["sleep", "60"])
    kill_all(lambda: {process.pid} if process.poll() is None else set())
    assert process.wait(10) == -9


def test_who_was_begun_with_a_variable_is_found() -> None:
    process = subprocess.Popen(["sleep", "60"], env={"PATH": os.environ["PATH"], "EVALBOX_T": "v"})
    try:
        found: dict[int, str] = {}
        while process.pid not in found:
            found = exposing({"EVALBOX_T": "v", "OTHER": "w"})
        assert found == {process.pid: "EVALBOX_T"}
        assert exposing({"EVALBOX_T": "another"}) == {}
    finally:
        process.kill()
        process.wait()


def test_the_archive_has_all_of_it_and_is_the_same_each_time() -> None:
    archive = driver_archive()
    assert archive == driver_archive()
    with zipfile.ZipFile(io.BytesIO(archive)) as bundle:
        names = set(bundle.namelist())
        source = {name: bundle.read(name).decode() for name in names}
    assert {"__main__.py", "evalbox_inside/client.py", "evalbox_inside/main.py"} <= names
    for name, text in source.items():
        compile(text, name, "exec")
        assert "from evalbox." not in text
        assert "import evalbox." not in text


def test_it_says_how_it_is_called(tmp_path: Path) -> None:
    archive = tmp_path / "driver.pyz"
    archive.write_bytes(driver_archive())
    done = subprocess.run(
        [sys.executable, str(archive), "dance"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "build PLAN ARCHIVE" in done.stderr
    assert main([]) == 2
