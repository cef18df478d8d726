"""What the driver makes of a family's files before there is a task: steps, install, description."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from standard_support import HEAD, Lived, family, live

pytestmark = pytest.mark.gvisor

DESCRIPTION = "/root/.evalbox/family.json"


async def build(tmp_path: Path, module: str, steps: list[dict[str, Any]], **more: Any) -> Lived:
    return await live(tmp_path, module, build=True, steps=steps, keep=[DESCRIPTION], **more)


async def test_files_steps_install_and_then_the_task(tmp_path: Path) -> None:
    module = family("""
        required_environment_variables = ["KEY"]

        @staticmethod
        def install():
            print("installing", os.environ["KEY"], os.environ["OTHER"], os.getcwd())
            assert Path("/opt/made/asset").read_text() == "asset"
            Path("/opt/installed").write_text("1")

        @staticmethod
        def get_tasks():
            return {"main": 1, "Other-2": 2} if Path("/opt/installed").exists() else {}

        get_permissions = staticmethod(lambda t: ["full_internet"] if t == 2 else [])

        @staticmethod
        def score(t, submission):
            import helper
            assert Path("helper.py").stat().st_mode & 0o777 == 0o644
            assert Path("tool.sh").stat().st_mode & 0o777 == 0o755
            return float(Path("/opt/number").read_text()) + helper.ONE
    """)
    steps: list[dict[str, Any]] = [
        {"type": "file", "source": "assets", "destination": "/opt/made"},
        {"type": "file", "source": "assets/asset", "destination": "/opt/copies/"},
        {"type": "file", "source": "helper.py", "destination": "/root/helper.py"},
        {"type": "file", "source": "assets", "destination": "/root/assets"},
        {"type": "shell", "commands": ["cd /opt/copies", "test -f asset", "echo 41 >/opt/number"]},
    ]
    files = {
        "assets/asset": (b"asset", 0o666),
        "helper.py": (b"ONE = 1", 0o666),
        "tool.sh": (b"#!/bin/sh\n", 0o777),
    }
    env = {"KEY": "k", "OTHER": "o"}
    lived = await build(tmp_path, module, steps, files=files, env=env)
    assert lived.report["reason"] == ""
    assert lived.score["value"] == 42
    assert b"installing k o /root" in lived.out
    assert lived.phases[:8] == ["files", *(f"step {n}" for n in range(1, 6)), "install", "describe"]
    assert json.loads(lived.content[DESCRIPTION]) == {
        "required": ["KEY"],
        "tasks": {
            "main": {"permissions": [], "machine": False},
            "Other-2": {"permissions": ["full_internet"], "machine": False},
        },
        "intermediate": False,
        "scored": True,
    }


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ({"type": "shell", "commands": ["false | true", "echo no"]}, "false | true: status 1"),
        ({"type": "shell", "commands": ["echo $UNSET"]}, "status 1"),
        ({"type": "file", "source": "none", "destination": "/x"}, "there is no none"),
        ({"type": "file", "source": "../etc/passwd", "destination": "/x"}, "is outside of"),
    ],
)
async def test_a_step_that_fails_ends_the_build(
    step: dict[str, Any], told: str, tmp_path: Path
) -> None:
    lived = await build(tmp_path, HEAD, [step])
    assert lived.code == 1
    assert told in lived.told
    assert lived.phases == ["files", "step 1"]


@pytest.mark.parametrize(
    ("module", "told"),
    [
        (family("install = staticmethod(lambda: 1 / 0)"), "install raised ZeroDivisionError"),
        ("class TaskFamily(:", "install raised SyntaxError"),
        (family("install = staticmethod(lambda: time.sleep(60))"), "install took longer than 3 s"),
        (family("get_permissions = staticmethod(lambda t: 'all')"), "get_permissions gives 'all'"),
    ],
)
async def test_an_install_that_fails_ends_the_build(module: str, told: str, tmp_path: Path) -> None:
    lived = await build(tmp_path, module, [], deadlines={"install": 3})
    assert lived.code == 1
    assert told in lived.told
    assert "setup" not in lived.phases
    assert DESCRIPTION not in lived.content


async def test_ten_thousand_tasks(tmp_path: Path) -> None:
    module = """
class TaskFamily:
    get_tasks = staticmethod(lambda: {f"task-{n}": n for n in range(10_000)})
    score = staticmethod(lambda t, s: t)
"""
    lived = await build(tmp_path, module, [], task="task-9999")
    assert lived.score["value"] == 9999
    assert len(json.loads(lived.content[DESCRIPTION])["tasks"]) == 10_000


async def test_a_family_that_is_called_as_a_module_of_python(tmp_path: Path) -> None:
    lived = await live(tmp_path, HEAD, files={"json.py": (HEAD.encode(), 0o600)}, family="json")
    assert "Python has a module json itself" in lived.report["reason"]
