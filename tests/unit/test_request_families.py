"""What is made of a request for tasks of a family; the box is a stub that builds nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalbox.domain.building import Built, ImageBuild
from evalbox.domain.evaluation import EvaluationSpec, Network
from evalbox.domain.image import TASK_STANDARD
from evalbox.domain.limits import GIB, MIB
from evalbox.errors import EvalboxError, FileMissing, ImageBuildError, InvalidInput
from evalbox.requests.prepared import Asked
from evalbox.requests.problems import problems
from evalbox.requests.request import Defaults, Request
from evalbox.sdk.job import job
from evalbox.tasks.standard import planning

NOW = 1_700_000_000.0
DEFAULTS = Defaults("gvisor", "evalbox/base:latest")


class Workshop:
    """Implements ``requests.making.Workshop`` and ``Builder``."""

    def __init__(self, **facts: Any) -> None:
        one = {"permissions": [], "machine": False}
        self.facts = {"tasks": {"main": one, "hard": one}, "required": []} | facts
        self.stored: dict[str, bytes] = {}
        self.uploads = 0
        self.builds: list[tuple[ImageBuild, str, str, Mapping[str, str]]] = []
        self.failure: EvalboxError | None = None

    @property
    def images(self) -> Workshop:
        return self

    async def upload(self, source: Path | bytes) -> tuple[str, int]:
        content = source if isinstance(source, bytes) else source.read_bytes()
        blob = hashlib.sha256(content).hexdigest()
        self.stored[blob] = content
        self.uploads += 1
        return blob, len(content)

    async def prepare(
        self,
        build: ImageBuild,
        progress: Callable[[str], None],
        *,
        base: str,
        engine: str = "",
        env: Mapping[str, str],
    ) -> Built:
        progress("==> files\n")
        if self.failure:
            raise self.failure
        self.builds.append((build, base, engine, env))
        return Built("evalbox/built:1", "1", json.dumps(self.facts))

    def plan(self, spec: EvaluationSpec) -> dict[str, Any]:
        (file,) = [one for one in spec.inputs if one.path == planning.PLAN]
        assert file.mode == 0o600
        plan: dict[str, Any] = json.loads(self.stored[file.blob])
        return plan


@pytest.fixture
def family(tmp_path: Path) -> Path:
    place = tmp_path / "count"
    place.mkdir()
    (place / "count.py").write_text("class TaskFamily: pass\n")
    return place


def asked(path: Path, **given: Any) -> Asked:
    if "agent" not in given:
        given.setdefault("submission", "42")
    return Request(path=str(path), **given).prepare(DEFAULTS, now=NOW)


async def specs(path: Path, workshop: Workshop | None = None, **given: Any) -> list[EvaluationSpec]:
    return await asked(path, **given).specs(workshop or Workshop())


async def test_a_task_is_an_evaluation_of_its_own(family: Path) -> None:
    workshop = Workshop()
    (spec,) = await specs(family / "main", workshop, label=("k=v",), priority="high")
    assert (spec.name, spec.kind) == ("count/main", "task-standard")
    assert spec.command == ("python3", planning.DRIVER, "run", planning.PLAN, "main")
    assert (spec.user, spec.workdir, spec.image) == ("0:0", "/root", TASK_STANDARD)
    assert (spec.engine, spec.network) == ("gvisor", Network.NONE)
    assert "SETUID" in spec.capabilities
    assert spec.artifacts == (planning.REPORT, planning.SUBMISSION)
    assert spec.labels == {"agent": "submission", "k": "v"}
    assert spec.build == workshop.builds[0][0]
    assert spec.build is not None
    assert [file.path for file in spec.build.files] == [
        planning.DRIVER, "/root/.evalbox/build.json", planning.BUNDLE,
    ]  # fmt: skip
    plan = workshop.plan(spec)
    assert (plan["family"], plan["network"], plan["visible"]) == ("count", False, True)
    assert plan["agent"]["kind"] == "submission"
    (given,) = [file for file in spec.inputs if file.path == plan["agent"]["path"]]
    assert (workshop.stored[given.blob], given.mode) == (b"42", 0o600)


async def test_all_tasks_of_a_family_or_those_of_a_pattern(family: Path) -> None:
    workshop = Workshop()
    found = await specs(family, workshop)
    assert [one.name for one in found] == ["count/main", "count/hard"]
    assert [one.command[-1] for one in found] == ["main", "hard"]
    assert len({one.build for one in found}) == 1
    assert [one.name for one in await specs(family, task=("h*",))] == ["count/hard"]
    twice = await specs(family, repeat="2", idempotency_key="k")
    assert [one.idempotency_key for one in twice] == [
        "k/count/main/1", "k/count/main/2", "k/count/hard/1", "k/count/hard/2",
    ]  # fmt: skip
    assert (await specs(family / "main", idempotency_key="k"))[0].idempotency_key == "k"
    assert [one.name for one in await specs(family, name="mine")] == ["mine", "mine"]


async def test_ten_thousand_tasks_store_each_content_once(family: Path) -> None:
    one = {"permissions": [], "machine": False}
    workshop = Workshop(tasks={f"task {number}": one for number in range(10_000)})
    assert len(await specs(family, workshop)) == 10_000
    assert workshop.uploads < 10


async def test_permissions_decide_the_network(family: Path) -> None:
    tasks = {
        "main": {"permissions": ["full_internet"], "machine": False},
        "hard": {"permissions": [], "machine": False},
    }
    workshop = Workshop(tasks=tasks)
    found = await specs(family, workshop)
    assert [one.network for one in found] == [Network.INTERNET, Network.NONE]
    assert [workshop.plan(one)["network"] for one in found] == [True, False]
    assert len(await specs(family / "main", Workshop(tasks=tasks), network="internet")) == 1
    with pytest.raises(InvalidInput, match="count/hard is to have no network"):
        await specs(family, Workshop(tasks=tasks), network="internet")


async def test_a_task_that_wants_a_machine_is_refused(family: Path) -> None:
    tasks = {
        "main": {"permissions": [], "machine": False},
        "vm": {"permissions": [], "machine": True},
    }
    with pytest.raises(InvalidInput, match="count/vm needs a virtual machine"):
        await specs(family, Workshop(tasks=tasks))
    assert len(await specs(family, Workshop(tasks=tasks), task=("main",))) == 1


async def test_secrets_reach_what_may_see_them(
    family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secrets.env").write_text("NEEDED=-one-\nOTHER=-two-\n")
    monkeypatch.setenv("HERE", "-three-")
    monkeypatch.setenv("UNASKED", "four")
    workshop = Workshop(required=["NEEDED", "HERE"])
    asking: dict[str, Any] = {"secrets": str(tmp_path / "secrets.env"), "agent": "true"}
    (spec,) = await specs(family / "main", workshop, env=("KEY=-five-",), **asking)
    assert workshop.builds[0][3] == {"NEEDED": "-one-", "OTHER": "-two-"}
    assert spec.env == {"NEEDED": "-one-", "OTHER": "-two-", "HERE": "-three-", "KEY": "-five-"}
    assert workshop.plan(spec)["agent"]["variables"] == ["KEY"]
    assert not any(
        value in content
        for value in (b"-one-", b"-two-", b"-three-", b"-five-")
        for blob, content in workshop.stored.items()
        if blob in {file.blob for file in spec.inputs if file.path != planning.DRIVER}
    )
    with pytest.raises(InvalidInput, match="not set: GONE, LOST"):
        await specs(family / "main", Workshop(required=["NEEDED", "GONE", "LOST"]), **asking)
    with pytest.raises(InvalidInput, match="--env: NEEDED is another"):
        await specs(family / "main", env=("NEEDED=x",), **asking)
    (family / "secrets.env").write_text("A=b")
    with pytest.raises(InvalidInput, match="lies in the family"):
        asked(family, secrets=str(family / "secrets.env"))


async def test_the_manifest_makes_limits_and_flags_go_over_them(family: Path) -> None:
    (family / "manifest.yaml").write_text(
        "tasks:\n"
        "  main:\n"
        "    resources: {cpus: 0.5, memory_gb: 0.75, storage_gb: 2.5}\n"
        "    scoring: {visible_to_agent: false, score_on_usage_limits: true}\n"
    )
    workshop = Workshop()
    main, hard = await specs(family, workshop)
    assert (main.limits.cpus, main.limits.memory) == (0.5, 768 * MIB)
    assert main.limits.disk == 5 * GIB // 2
    assert (hard.limits.cpus, hard.limits.memory) == (1.0, 1 * GIB)
    assert (workshop.plan(main)["visible"], workshop.plan(main)["score_on_limits"]) == (False, True)
    assert (workshop.plan(hard)["visible"], workshop.plan(hard)["score_on_limits"]) == (True, False)
    main, hard = await specs(family, cpus="2", memory="2g", pids="99")
    assert (main.limits.cpus, main.limits.memory, main.limits.pids) == (2.0, 2 * GIB, 99)
    assert main.limits == replace(hard.limits, disk=main.limits.disk)


async def test_gpus_are_refused_where_there_are_none(family: Path) -> None:
    (family / "manifest.yaml").write_text(
        "tasks:\n"
        "  main: {resources: {gpu: {count_range: [1, 2], model: h100}}}\n"
        "  hard: {resources: {gpu: {count_range: [0, 2]}}}\n"
    )
    with pytest.raises(InvalidInput, match=r"count/main needs 1 to 2 GPUs \(h100\)"):
        asked(family / "main")
    with pytest.raises(InvalidInput, match="count/main needs 1 to 2 GPUs"):
        await specs(family)
    assert len(await specs(family / "hard")) == 1


async def test_the_time_of_all_phases_is_bounded(family: Path) -> None:
    workshop = Workshop()
    deadlines = ("start=1m", "score=2m", "setup=5s", "intermediate=1s", "teardown=1s")
    (spec,) = await specs(family / "main", workshop, timeout="10s", deadline=deadlines)
    told = workshop.plan(spec)["deadlines"]
    assert told == {
        "agent": 10.0, "start": 60.0, "score": 120.0, "setup": 5.0, "intermediate": 1.0,
        "teardown": 1.0,
    }  # fmt: skip
    assert spec.limits.timeout == 10 + 60 + 120 + 2 * 5 + 2 * 1 + 1 + 60
    await specs(family / "main", workshop, deadline=("install=2h",))
    first, second = (build for build, *_ in workshop.builds)
    assert (first.timeout, second.timeout) == (3600.0, 7200.0)
    assert first.key("x") == second.key("x")
    for wrong, told in (("agent", "not PHASE=TIME"), ("x=1s", "no phase"), ("start=x", "'x'")):
        with pytest.raises(InvalidInput, match=told):
            asked(family, deadline=(wrong,))


async def test_the_same_content_is_the_same_build(family: Path, tmp_path: Path) -> None:
    workshop = Workshop()
    await specs(family / "main", workshop)
    (family / "count.py").touch()
    await specs(family, workshop, submission="another", name="x")
    (family / "count.py").write_text("class TaskFamily: x = 1\n")
    await specs(family, workshop)
    first, second, third = (build.key("base") for build, *_ in workshop.builds)
    assert first == second != third


async def test_no_agent_is_no_way_to_attempt_a_task(family: Path) -> None:
    with pytest.raises(InvalidInput) as error:
        Request(path=str(family)).prepare(DEFAULTS, now=NOW)
    assert "--agent human" in error.value.hint
    with pytest.raises(InvalidInput, match="exclude each other"):
        asked(family, agent="true", submission="x")


@pytest.mark.parametrize(
    "given",
    [
        {"user": "1:1"}, {"stdin": "/dev/null"}, {"score": "x"}, {"arguments": ("x",)},
        {"command": ("ls",)},
    ],
)  # fmt: skip
def test_what_a_family_decides_is_not_asked_for(family: Path, given: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="not for a family"):
        asked(family, **given)


def test_a_family_needs_a_container(family: Path) -> None:
    with pytest.raises(InvalidInput, match="needs a container"):
        asked(family, engine="process")


def test_families_alone_have_agents(tmp_path: Path, family: Path) -> None:
    (tmp_path / "x.py").write_text("")
    for given in ({"agent": "a"}, {"submission": ""}, {"task": ("x",)}, {"deadline": ("a=1",)}):
        with pytest.raises(InvalidInput, match="is no task family"):
            Request(path=str(tmp_path / "x.py"), **given).prepare(DEFAULTS, now=NOW)
        with pytest.raises(InvalidInput, match="is for a family of tasks"):
            Request(command=("true",), **given).prepare(DEFAULTS, now=NOW)
    for given in ({}, {"submission": "42"}):
        with pytest.raises(FileMissing) as missing:
            Request(path=str(tmp_path / "coutn"), **given).prepare(DEFAULTS, now=NOW)
        assert missing.value.hint == f"is it {family}?"
    with pytest.raises(InvalidInput, match="names task main already"):
        asked(family / "main", task=("x",))


async def test_who_attempts_it_is_a_label(family: Path) -> None:
    for given, name in (
        ({"agent": "sleep 1"}, "sleep 1"),
        ({"agent": "sleep 1", "agent_name": "slow"}, "slow"),
        ({"label": ("agent=mine",)}, "mine"),
        ({"label": ("agent=mine",), "agent_name": "yours"}, "yours"),
        ({"agent": "human"}, "human"),
    ):
        (spec,) = await specs(family / "main", **given)
        assert spec.labels["agent"] == name


async def test_a_build_that_fails_queues_nothing_and_is_told(family: Path) -> None:
    workshop = Workshop()
    workshop.failure = ImageBuildError("it failed", hint="see the log")
    told: list[str] = []
    with pytest.raises(ImageBuildError):
        await asked(family).specs(workshop, told.append)
    assert told == ["==> files\n"]


def test_what_is_wrong_is_told_of_its_option(family: Path, tmp_path: Path) -> None:
    def wrong(**given: Any) -> dict[str, str]:
        found = problems(Request(path=str(family), **given), DEFAULTS, now=NOW)
        return {option: error.message for option, error in found.items()}

    assert set(wrong()) == {"agent"}
    assert wrong(agent="true", memory="2g", timeout="1m") == {}
    assert set(wrong(agent="true", deadline=("x=1s",))) == {"deadline"}
    assert set(wrong(submission="@/no/such")) == {"path"}
    assert set(wrong(submission="x", user="1:1")) == {"user"}
    (tmp_path / "s").write_text("no secret")
    assert set(wrong(agent="true", secrets=str(tmp_path / "s"))) == {"secrets"}


async def test_programs_ask_for_the_same(family: Path, tmp_path: Path) -> None:
    workshop = Workshop(required=["A"])
    asking = job(
        f"{family}/main",
        {
            "submission": b"\0\xff", "agent_name": "x", "secrets": {"A": "1"}, "timeout": "1m",
            "deadlines": {"start": 5}, "cpus": 2, "files": {"data": "d"}, "batch": "b",
        },
    )  # fmt: skip
    (spec,) = await asking.specs(workshop)
    assert (spec.name, spec.labels["agent"], spec.env) == ("count/main", "x", {"A": "1"})
    assert (spec.limits.cpus, spec.batch) == (2, "b")
    assert workshop.plan(spec)["deadlines"] == {"agent": 60.0, "start": 5}
    assert "/home/agent/data" in {file.path for file in spec.inputs}
    assert b"\0\xff" in workshop.stored.values()
    (tmp_path / "it").write_text("42")
    await job(family, {"submission": tmp_path / "it", "tasks": ["main"]}).specs(Workshop())
    with pytest.raises(InvalidInput, match="an agent or a submission"):
        job(family, {})
    with pytest.raises(InvalidInput, match="is no task family"):
        job("print(1)", {"agent": "true"})
    with pytest.raises(InvalidInput, match="agent is for a family"):
        job(None, {"command": ["true"], "agent": "true"})
    with pytest.raises(InvalidInput, match="stdin is not for a family"):
        job(family, {"agent": "true", "stdin": ""})


def test_a_machine_that_every_task_needs_is_refused_before_a_build(family: Path) -> None:
    member = "    @staticmethod\n    def get_aux_vm_spec(t):\n        return {}\n"
    (family / "count.py").write_text(f"class TaskFamily:\n{member}")
    with pytest.raises(InvalidInput, match="gives every task a virtual machine"):
        asked(family)
