"""What a command line asks for."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from evalbox.domain.evaluation import EvaluationSpec, Network, Priority
from evalbox.domain.limits import GIB, MIB, Limits
from evalbox.errors import FileMissing, InvalidInput
from evalbox.requests.prepared import Prepared
from evalbox.requests.problems import problems
from evalbox.requests.request import Defaults, Request

NOW = 1_700_000_000.0
DEFAULTS = Defaults("gvisor", "evalbox/base:latest")


def spec(**given: Any) -> EvaluationSpec:
    given.setdefault("command", ("true",))
    return Request(**given).prepare(DEFAULTS, now=NOW).spec


class Blobs:
    async def upload(self, content: Path | bytes) -> tuple[str, int]:
        data = content if isinstance(content, bytes) else content.read_bytes()
        return f"blob-{len(data)}", len(data)

    @property
    def images(self) -> Any:
        raise AssertionError


def test_nothing_said_means_the_defaults() -> None:
    found = spec()
    assert (found.engine, found.image) == ("gvisor", "evalbox/base:latest")
    assert (found.network, found.priority) == (Network.NONE, Priority.NORMAL)
    assert found.limits == Limits()
    assert found.retry.retries == 0
    assert (found.not_before, found.batch, found.idempotency_key) == (None, None, None)


def test_everything_said() -> None:
    found = spec(
        image="other:1", engine="runc", user="0:0", network="internet", cpus="0.5", memory="1g",
        timeout="1h30m", disk="2g", pids="64", output_limit="1m", env=("A=1",),
        artifact=("out", "/tmp/x"), priority="high", retries="3", after="10m", batch="b",
        label=("k=v", "e="), name="a name", idempotency_key="once",
    )  # fmt: skip
    assert found.limits == Limits(
        cpus=0.5, memory=GIB, timeout=5400.0, disk=2 * GIB, pids=64, output=MIB
    )
    assert (found.engine, found.user, found.network) == ("runc", "0:0", Network.INTERNET)
    assert found.artifacts == ("out", "/tmp/x")
    assert (found.priority, found.retry.retries, found.not_before) == (Priority.HIGH, 3, NOW + 600)
    assert (found.batch, found.labels, found.name) == ("b", {"k": "v", "e": ""}, "a name")
    assert (found.env, found.idempotency_key) == ({"A": "1"}, "once")


@pytest.mark.parametrize("option", ["cpus", "memory", "timeout", "disk", "pids", "output_limit"])
@pytest.mark.parametrize(
    "text", ["0", "-1", "nan", "inf", "-inf", "1e308", "9" * 400, "", " ", "x", "1e400", "0x10"]
)
def test_a_limit_that_makes_no_sense_is_refused_by_name(option: str, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        spec(**{option: text})
    assert option.replace("_limit", "") in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    "given",
    [
        {"retries": "-1"}, {"retries": "1.5"}, {"retries": "9" * 30}, {"repeat": "0"},
        {"repeat": "-3"}, {"repeat": "x"}, {"name": ""}, {"name": "a\nb"}, {"name": "x" * 300},
        {"batch": "\x1b[2J"}, {"batch": " "}, {"label": ("novalue",)}, {"label": ("=v",)},
        {"label": ("k=\x07",)}, {"engine": "vmware"}, {"image": ""}, {"user": "a\tb"},
        {"artifact": ("../x",)}, {"artifact": ("",)}, {"env": ("1=2",)}, {"lang": "py"},
        {"idempotency_key": ""}, {"at": "12:00", "after": "1h"}, {"stdin": "/dev/zero"},
        {"stdin": "/tmp"},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        spec(**given)


def test_files_that_are_missing() -> None:
    for given in ({"file": ("/no/such",)}, {"stdin": "/no/such"}, {"env_file": ("/no/such",)}):
        with pytest.raises(FileMissing):
            spec(**given)


def test_a_missing_script_may_have_been_meant_as_a_command() -> None:
    with pytest.raises(FileMissing) as caught:
        spec(path="ls", command=())
    assert "evalbox run -- ls" in caught.value.hint


def test_what_is_behind_two_dashes_is_an_argument_of_a_script(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text("")
    found = spec(path=str(script), arguments=("a",), command=("--flag", "b"))
    assert found.command == ("python3", "/home/agent/x.py", "a", "--flag", "b")


def test_the_process_engine_is_never_a_default() -> None:
    defaults = Defaults(engine="process")
    with pytest.raises(InvalidInput, match="confines nothing"):
        Request(command=("true",)).prepare(defaults, now=NOW)
    prepared = Request(command=("true",), engine="process").prepare(defaults, now=NOW)
    assert prepared.spec.engine == "process"


def test_a_script_and_a_file_of_its_name_are_refused(tmp_path: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text("")
    with pytest.raises(InvalidInput, match="is the script"):
        spec(path=str(script), command=(), file=(f"{script}",))


async def test_files_are_uploaded_in_the_end(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("print(1)")
    (tmp_path / "data").write_text("12")
    request = Request(
        path=str(tmp_path / "x.py"),
        file=(f"{tmp_path}/data:in",),
        stdin=str(tmp_path / "data"),
        repeat="3",
        idempotency_key="k",
    )
    specs = await request.prepare(DEFAULTS, now=NOW).specs(Blobs())
    assert [file.path for file in specs[0].inputs] == ["/home/agent/x.py", "/home/agent/in"]
    assert specs[0].stdin is not None
    assert (specs[0].stdin.blob, specs[0].stdin.size) == ("blob-2", 2)
    assert [one.idempotency_key for one in specs] == ["k/1", "k/2", "k/3"]


def given(content: bytes, **asked: Any) -> Prepared:
    return Request(**asked).prepare(DEFAULTS, now=NOW, read_input=io.BytesIO(content).read)


def test_a_script_from_standard_input() -> None:
    found = given(b"print(1)", path="-", lang="py").spec
    assert found.command == ("python3", "/home/agent/stdin.py")
    assert given(b"#!/bin/bash\necho", path="-").spec.command == (
        "/bin/bash",
        "/home/agent/stdin",
    )
    with pytest.raises(InvalidInput, match="standard input: its language"):
        given(b"echo", path="-")


def test_a_script_that_is_there_already() -> None:
    found = given(b"not read", path="-", source=b"print(1)", lang="py")
    assert [file.content for file in found.files] == [b"print(1)"]


def test_standard_input_serves_once() -> None:
    with pytest.raises(InvalidInput, match="both"):
        given(b"print(1)", path="-", lang="py", stdin="-")
    stdin = given(b"data", command=("cat",), stdin="-").stdin
    assert stdin is not None
    assert stdin.content == b"data"
    with pytest.raises(InvalidInput, match="no standard input"):
        Request(command=("cat",), stdin="-").prepare(DEFAULTS, now=NOW)


def test_what_the_box_would_refuse_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="65 are too many"):
        spec(label=tuple(f"{number}=x" for number in range(65)))


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    asked = Request(
        path=str(tmp_path / "none.py"), memory="x", pids="0", env=("1=2",), after="soon",
        label=("k",), name="",
    )  # fmt: skip
    found = problems(asked, Defaults(), now=NOW)
    assert set(found) == {"path", "memory", "pids", "env", "after", "label", "name"}
    assert problems(Request(command=("true",)), Defaults(), now=NOW) == {}


def test_what_is_wrong_only_together_is_told_of_an_option(tmp_path: Path) -> None:
    many = tuple(f"{number}=x" for number in range(65))
    assert set(problems(Request(command=("true",), label=many), Defaults(), now=NOW)) == {"label"}
    (tmp_path / "a.py").write_text("")
    both = Request(path=str(tmp_path / "a.py"), file=(f"{tmp_path}/a.py",))
    assert set(problems(both, Defaults(), now=NOW)) == {"file"}
    twice = Request(command=("true",), at="23:59", after="1h")
    assert set(problems(twice, Defaults(), now=NOW)) == {"at"}
