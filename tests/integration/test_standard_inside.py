"""The driver of families, as root in a sandbox under gVisor: what a score is, and what is none."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import pytest
from standard_support import HEAD, SUBMISSION, family, live, static

pytestmark = pytest.mark.gvisor

NUMBERS = {
    "one": ("return 1", 1.0),
    "nought": ("return 0", 0.0),
    "below": ("return -3.5", -3.5),
    "far": ("return 1e300", 1e300),
    "whole": ("return 10**300", 1e300),
    "tiny": ("return 5e-324", 5e-324),
    "printed": ("print('x' * 5_000_000); return 0.5", 0.5),
    "forged": (
        "print('SEP_MUfKWkpuVDn9E'); print('{\"value\": 99}'); print('==> teardown'); return 0.25",
        0.25,
    ),
    "closed": ("sys.stdout.close(); sys.stderr.close(); return 2", 2.0),
    "forked": ("os.fork(); return 3", 3.0),
    "thread": (
        "import threading; threading.Thread(target=time.sleep, args=(9,), daemon=True).start(); "
        "return 4",
        4.0,
    ),
    "asks": ("return 5 if sys.stdin.read() == '' else 0", 5.0),
    "large": ("return len(submission)", 11.0),
}
NONE = {
    "nan": ("return float('nan')", "not finite"),
    "infinite": ("return -float('inf')", "not finite"),
    "huge": ("return 10**400", "not finite"),
    "endless": ("return 10**5000", "not finite"),
    "true": ("return True", "bool"),
    "text": ("return '1.0'", "str"),
    "listed": ("return [1]", "list"),
    "mapped": ("return {'score': 1}", "dict"),
    "complex": ("return 1j", "complex"),
    "raises": ("raise ValueError('no\\nsuch thing')", "ValueError: no"),
    "leaves": ("sys.exit(0)", "SystemExit: 0"),
    "gone": ("os._exit(0)", "ended with status 0 and gave no result"),
    "dies": ("os.kill(os.getpid(), 11)", "died of signal 11 and gave no result"),
    "interrupted": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "deep": ("f = lambda: f()\nf()", "RecursionError"),
    "late": ("print('waiting', flush=True); time.sleep(60)", "took longer than 3 s"),
    "crowd": ("subprocess.Popen(['sleep', '60']); time.sleep(60)", "took longer than 3 s"),
}


def scorers(bodies: dict[str, str]) -> str:
    """A family whose every task is scored by a function of its name."""
    methods = "".join(
        f"def score_{name}(submission):\n{textwrap.indent(body, '    ')}\n"
        for name, body in bodies.items()
    )
    tasks = "{" + ", ".join(f"{name!r}: score_{name}" for name in bodies) + "}"
    return f"""
import os, subprocess, sys, time
{methods}
class TaskFamily:
    get_tasks = staticmethod(lambda: {tasks})
    score = staticmethod(lambda t, submission: t(submission))
"""


async def test_a_number_is_the_score_whatever_it_is_and_whatever_is_printed(
    tmp_path: Path,
) -> None:
    module = scorers({name: body for name, (body, _) in NUMBERS.items()})
    lived = await live(tmp_path, module, submission=b"hello\nworld", tasks=list(NUMBERS))
    for name, (_, value) in NUMBERS.items():
        report = lived.of(name)
        assert (report["outcome"], report["reason"]) == ("ok", ""), name
        assert report["score"]["kind"] == "number", name
        assert math.isclose(report["score"]["value"], value), name
    assert lived.phases == ["setup", "start", "agent", "score", "teardown"] * len(NUMBERS)
    assert b"bytes left out" in lived.out
    assert len(lived.out) < 1_000_000


async def test_what_is_no_number_is_an_error_and_never_a_score(tmp_path: Path) -> None:
    module = scorers({name: body for name, (body, _) in NONE.items()})
    lived = await live(tmp_path, module, tasks=list(NONE), deadlines={"score": 3})
    for name, (_, reason) in NONE.items():
        report = lived.of(name)
        assert report["outcome"] == "task_error", name
        assert reason in report["reason"], (name, report["reason"])
        assert (report["score"] or {"kind": "invalid"})["kind"] == "invalid", name
        assert [phase["name"] for phase in report["phases"]][-1] == "teardown"
    assert lived.of("text")["score"]["raw"] == "'1.0'"
    assert lived.of("mapped")["score"]["raw"] == "{'score': 1}"
    assert "Traceback" in lived.out.decode()


@pytest.mark.parametrize("members", ["", "@staticmethod\ndef score(t, submission): return None"])
async def test_what_people_are_to_score_is_no_error(members: str, tmp_path: Path) -> None:
    lived = await live(tmp_path, family(members))
    assert lived.score == {"kind": "manual"}
    assert (lived.code, lived.report["outcome"]) == (0, "ok")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("def broken(:", "SyntaxError: invalid syntax"),
        ("class Another: pass", "has no class TaskFamily"),
        ("class TaskFamily: pass", "has no get_tasks"),
        ("class TaskFamily:\n    get_tasks = lambda: [1]", "list, not a dict"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("import os; os._exit(0)", "gave no result"),
        (HEAD.replace('"main"', '"other"'), "there is no task 'main'; there are 'other'"),
        (family("get_permissions = lambda t: ['root']"), "get_permissions gives ['root']"),
        (family("get_permissions = lambda t: ['full_internet']"), "gives others now"),
        (family("get_instructions = lambda t: 5"), "get_instructions gives of type int"),
        (family("get_aux_vm_spec = lambda t: {'cpu_count_range': [1, 2]}"), "virtual machine"),
        (family("required_environment_variables = ['A_KEY', 'B']"), "not set: A_KEY, B"),
        (family("required_environment_variables = 'A_KEY'"), "is no list of names"),
    ],
)
async def test_a_family_that_is_wrong_ends_in_setup(
    module: str, reason: str, tmp_path: Path
) -> None:
    lived = await live(tmp_path, module)
    assert lived.report["outcome"] == "task_error"
    assert reason in lived.report["reason"]
    assert lived.report["reason"].startswith("setup: ")
    assert (lived.code, lived.score, lived.phases) == (1, None, ["setup"])


async def test_a_score_that_removes_all_of_the_driver_is_an_error(tmp_path: Path) -> None:
    body = "import shutil; shutil.rmtree('/root/.evalbox'); return 1"
    lived = await live(tmp_path, static(body))
    assert lived.report["outcome"] == "task_error"
    assert lived.score is None


@pytest.mark.parametrize(
    ("content", "length"),
    [(b"", 0), (b"a\0b\r\n", 5), (b"no newline", 10), ("é\n".encode(), 2), (b"\xff\xfe", 2)],
)
async def test_a_submission_arrives_as_it_is(content: bytes, length: int, tmp_path: Path) -> None:
    body = "print(repr(submission)); return len(submission)"
    lived = await live(tmp_path, static(body), submission=content)
    assert lived.score["value"] == length
    assert lived.content[SUBMISSION] == content
    assert repr(content.decode("utf-8", "replace")) in lived.out.decode()
    assert lived.report["submission"] == len(content)


async def test_a_submission_of_ten_megabytes_is_scored(tmp_path: Path) -> None:
    lived = await live(tmp_path, static("return len(submission)"), submission=b"x" * 10_000_000)
    assert lived.score["value"] == 10_000_000


async def test_tasks_of_any_name_and_kind(tmp_path: Path) -> None:
    module = """
from pathlib import Path
class TaskFamily:
    @staticmethod
    def get_tasks():
        return {1: Path("/tmp"), "Capital-Name": print, "007": object(), "a b": None, 2.5: 3}
    @staticmethod
    def score(t, submission):
        return 1 if isinstance(t, Path) else 2 if t is print else 3
"""
    lived = await live(tmp_path, module, tasks=["1", "Capital-Name", "007", "2.5"])
    assert [lived.of(one)["score"]["value"] for one in ("1", "Capital-Name", "007")] == [1, 2, 3]
    lived = await live(tmp_path, module, task="a b")
    assert lived.score["value"] == 3
