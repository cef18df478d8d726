"""The driver of families under gVisor: from start to teardown, and whose is what on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from standard_support import SUBMISSION, Lived, family, live, static

pytestmark = pytest.mark.gvisor

AGENT = "/home/agent"


def agent(script: str, **more: Any) -> dict[str, Any]:
    return {"kind": "command", "argv": ["/bin/bash", "-lc", script], **more}


def phase(lived: Lived, name: str) -> dict[str, Any]:
    (found,) = (one for one in lived.report["phases"] if one["name"] == name)
    return dict(found)


async def test_start_leaves_a_daemon_that_holds_everything_open(tmp_path: Path) -> None:
    module = family("""
        @staticmethod
        def start(t):
            assert sys.stdin.read() == "" and os.getuid() == 0 and os.getcwd() == "/root"
            subprocess.Popen(["sh", "-c", "sleep 600"])
            subprocess.Popen([sys.executable, "-m", "http.server", "8099"], cwd="/tmp")
            print("started")

        @staticmethod
        def score(t, submission):
            import urllib.request
            return len(urllib.request.urlopen("http://localhost:8099/").read()) > 10 and 1
    """)
    script = (
        "python3 -c 'import urllib.request as u, time\n"
        "for _ in range(100):\n"
        '  try: u.urlopen("http://localhost:8099/"); break\n'
        "  except OSError: time.sleep(0.1)\n"
        "'; echo done"
    )
    lived = await live(tmp_path, module, agent=agent(script))
    assert lived.report["reason"] == ""
    assert lived.score["value"] == 1
    assert b"started\n" in lived.out
    assert b"done\n" in lived.out
    start = phase(lived, "start")
    assert start["ended"] - start["began"] < 30


async def test_a_start_that_hangs_ends_at_its_deadline_with_all_that_it_began(
    tmp_path: Path,
) -> None:
    module = family("""
        @staticmethod
        def start(t):
            subprocess.Popen(["sleep", "997"])
            time.sleep(998)

        @staticmethod
        def teardown(*a):
            print("left:", subprocess.run(["ps", "ax"], capture_output=True, text=True).stdout)
    """)
    lived = await live(tmp_path, module, deadlines={"start": 2})
    assert lived.report["outcome"] == "task_error"
    assert lived.report["reason"] == "start: start took longer than 2 s"
    assert lived.phases == ["setup", "start", "teardown"]
    assert b"left:" in lived.out
    assert b"sleep 997" not in lived.out
    assert lived.report["agent"] is None


@pytest.mark.parametrize("takes", ["", "t", "t=None", "*rest"])
async def test_teardown_is_called_as_it_is_written(takes: str, tmp_path: Path) -> None:
    module = static(f"Path('/root/torn').write_text({takes!r})", "teardown", takes)
    lived = await live(tmp_path, module, keep=["/root/torn"])
    assert lived.content["/root/torn"].decode() == takes


async def test_what_fails_in_teardown_changes_nothing(tmp_path: Path) -> None:
    module = family("""
        score = staticmethod(lambda t, s: 0.5)

        @staticmethod
        def teardown():
            raise RuntimeError("no")
    """)
    lived = await live(tmp_path, module)
    assert (lived.code, lived.report["outcome"], lived.score["value"]) == (0, "ok", 0.5)
    assert "RuntimeError: no" in phase(lived, "teardown")["error"]
    assert "evalbox: teardown: teardown raised RuntimeError: no" in lived.told


OWNED = """
    @staticmethod
    def start(t):
        import shutil
        home = Path("/home/agent")
        for name in "plain .bashrc2 deep/er/file .hidden/file .ssh/key kept d/p".split():
            path = home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        for name in ("kept", "d/p"):
            shutil.chown(home / name, "root", "protected")
        (home / "link").symlink_to("/root")
        (home / "deep/link").symlink_to("/root/trial.py")
        Path("/protected/secret").write_text("secret")

    @staticmethod
    def get_instructions(t):
        return "Do it \\u00e9\\r\\n\\n"
"""
LOOK = (
    "find . -mindepth 1 -printf '%P %U:%G\\n' | sort; id -u; pwd; env | sort; "
    "ls /root 2>&1; cat /root/.evalbox/plan.json 2>&1; ls /protected 2>&1; "
    "cat /proc/1/environ 2>/dev/null | tr '\\0' '\\n'; "
    "for p in /proc/[0-9]*; do cat $p/environ 2>/dev/null | tr '\\0' '\\n' | grep TOP; done; "
    "echo x >/root/x 2>/dev/null; kill -9 1 2>&1; od -c instructions.txt"
)


async def test_the_agent_owns_its_home_but_what_is_protected_and_sees_no_secret(
    tmp_path: Path,
) -> None:
    module = family(OWNED + "\n    required_environment_variables = ['TOP_SECRET']\n")
    env = {"TOP_SECRET": "s3cret", "OTHER": "o", "MINE": "mine"}
    lived = await live(
        tmp_path, module, agent=agent(LOOK, variables=["MINE"]), env=env, keep=["/root/x"]
    )
    lines = lived.out.decode().splitlines()
    assert lived.report["outcome"] == "ok", lived.report
    for name in ("plain", ".bashrc2", "deep", "deep/er/file", ".ssh", ".ssh/key", "d", "link"):
        assert f"{name} 1000:1000" in lines, name
    assert "instructions.txt 1000:1000" in lines
    assert ".hidden 0:0" in lines
    assert ".hidden/file 0:0" in lines
    for name in ("kept", "d/p"):
        assert any(one.startswith(f"{name} 0:") for one in lines), name
    assert "deep/link 1000:1000" in lines
    assert "HOME=/home/agent" in lines
    assert "MINE=mine" in lines
    assert "s3cret" not in lived.out.decode()
    assert "OTHER=o" not in lines
    assert lived.out.decode().count("Permission denied") >= 3
    assert "/root/x" not in lived.content
    assert r"303 251  \r  \n  \n" in lived.out.decode()


async def test_a_process_that_start_leaves_with_a_secret_is_told_of(tmp_path: Path) -> None:
    module = family("""
        required_environment_variables = ["TOP_SECRET"]

        @staticmethod
        def start(t):
            subprocess.Popen(["sleep", "600"])

        score = staticmethod(lambda t, s: 1)
    """)
    lived = await live(tmp_path, module, env={"TOP_SECRET": "s3cret"})
    assert lived.score["value"] == 1
    assert "with TOP_SECRET: under gVisor the agent can read it" in lived.told
    assert "s3cret" not in lived.told


async def test_an_owner_that_start_has_set_stays_where_the_family_wants_it(
    tmp_path: Path,
) -> None:
    module = family(OWNED + "\n    skip_chown_after_start = True\n")
    lived = await live(tmp_path, module, agent=agent(LOOK))
    lines = lived.out.decode().splitlines()
    assert "plain 0:0" in lines
    assert "instructions.txt 1000:1000" in lines


async def test_operations_get_what_they_require_and_nothing_else(tmp_path: Path) -> None:
    module = family("""
        required_environment_variables = ["NEEDED"]

        @staticmethod
        def score(t, submission):
            print(sorted(os.environ), os.environ["NEEDED"], os.getuid(), os.getcwd())
            return 1
    """)
    lived = await live(tmp_path, module, env={"NEEDED": "n\n=x", "OTHER": "o"})
    assert lived.score["value"] == 1
    assert "OTHER" not in lived.out.decode()
    assert "n\n=x 0 /root" in lived.out.decode()


async def test_a_scorer_runs_as_the_agent_with_the_protected_group(tmp_path: Path) -> None:
    module = family("""
        @staticmethod
        def start(t):
            Path("/protected/answer").write_text("42")
            Path("/home/agent/score.py").write_text(
                "import os; print(os.getuid(), os.environ['HOME'])"
                ";print(open('/protected/answer').read())"
                ";open('/protected/score.log', 'a').write('row')"
            )

        @staticmethod
        def score(t, submission):
            told = subprocess.check_output(
                ["runuser", "agent", "--group=protected", "--login",
                 "--command=" + sys.executable + " /home/agent/score.py"], text=True)
            print(told)
            assert Path("/protected/score.log").read_text() == "row"
            return float(told.split()[2])
    """)
    lived = await live(tmp_path, module, agent=agent("cat /protected/answer /protected/score.log"))
    assert lived.report["reason"] == ""
    assert lived.score["value"] == 42
    assert b"1000 /home/agent\n42" in lived.out
    assert lived.out.count(b"Permission denied") == 2


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("ln -s /etc/passwd submission.txt", "cannot be read"),
        ("mkfifo submission.txt", "is no regular file"),
        ("mkdir submission.txt", "is no regular file"),
        ("truncate -s 80M submission.txt", "is longer than 64 MiB"),
    ],
)
async def test_what_is_no_submission_is_refused(script: str, reason: str, tmp_path: Path) -> None:
    lived = await live(tmp_path, static("return 1"), agent=agent(script))
    assert lived.report["outcome"] == "task_error"
    assert reason in lived.report["reason"]
    assert lived.score is None
    assert lived.phases[-1] == "teardown"


async def test_an_agent_that_fails_or_submits_nothing_is_scored(tmp_path: Path) -> None:
    body = "return 7 if submission == '' else 0"
    lived = await live(tmp_path, static(body), agent=agent("echo no >&2; exit 9"))
    assert lived.report["agent"] == {"kind": "command", "status": 9, "ran": True}
    assert (lived.score["value"], lived.report["submission"]) == (7, 0)
    assert "there is no submission.txt" in lived.told


LATE = "echo half >submission.txt; (setsid sleep 991 &) ; sleep 990"


@pytest.mark.parametrize("scored", [False, True])
async def test_an_agent_that_is_out_of_time(scored: bool, tmp_path: Path) -> None:
    module = static(
        "print(subprocess.check_output(['ps', 'ax'], text=True)); return len(submission)"
    )
    lived = await live(
        tmp_path, module, agent=agent(LATE), deadlines={"agent": 2}, score_on_limits=scored
    )
    assert lived.report["agent"]["status"] is None
    if scored:
        assert (lived.report["outcome"], lived.score["value"]) == ("ok", 5)
        assert b"sleep 99" not in lived.out
    else:
        assert lived.report["outcome"] == "timeout"
        assert lived.report["reason"] == "the agent took longer than 2 s"
        assert lived.score is None
    assert lived.phases[-1] == "teardown"


async def test_a_server_that_the_agent_leaves_is_its_work(tmp_path: Path) -> None:
    module = static(
        "import urllib.request as u\n"
        "return 1 if b'hi' in u.urlopen('http://localhost:8077/x').read() else 0"
    )
    script = (
        "echo hi >x; python3 -m http.server 8077 >/dev/null 2>&1 & "
        "until python3 -c 'import socket; socket.create_connection((\"localhost\", 8077))' "
        "2>/dev/null; do sleep 0.1; done"
    )
    lived = await live(tmp_path, module, agent=agent(script))
    assert lived.report["reason"] == ""
    assert lived.score["value"] == 1


async def test_an_agent_that_breaks_its_output_breaks_nothing_else(tmp_path: Path) -> None:
    # As node does with a pipe that it is given.
    script = "python3 -c 'import os; os.set_blocking(1, False)'; head -c 3000000 /dev/zero"
    lived = await live(tmp_path, static("print('y' * 300_000); return 1"), agent=agent(script))
    assert lived.score["value"] == 1
    assert b"y" * 200_000 in lived.out


BETWEEN = """
    @staticmethod
    def intermediate_score(t):
        path = Path("/home/agent/work")
        text = path.read_text().strip() if path.exists() else "0"
        if text == "broken":
            raise ValueError("the answer is 42")
        return {"score": float(text), "message": {"got": text}, "details": {"hidden": 7}}

    @staticmethod
    def aggregate_scores(t, score_log):
        print([sorted(one) for one in score_log][0])
        print("LOG", [one["score"] for one in score_log])
        return max(one["score"] for one in score_log if one["score"] == one["score"])

    score = staticmethod(lambda t, submission: -1)
"""
STEPS = [
    {"run": "echo 3 >work; score"},
    {"score": True},
    {"run": "echo nan >work; score"},
    {"run": "echo broken >work; score || echo status $?"},
    {"run": "score --wrong; echo status $?"},
    {"run": "echo 2 >work"},
    {"submit": "done"},
]


@pytest.mark.parametrize("visible", [True, False])
async def test_scores_in_between(visible: bool, tmp_path: Path) -> None:
    lived = await live(
        tmp_path, family(BETWEEN), agent={"kind": "replay", "steps": STEPS}, visible=visible
    )
    out = lived.out.decode()
    assert lived.report["reason"] == ""
    assert lived.score["value"] == 3
    assert "LOG [0.0, 3.0, 3.0, nan, 2.0]" in out
    assert "['created_at', 'details', 'elapsed_seconds', 'message', 'score', 'scored_at']" in out
    kinds = [one["score"]["kind"] for one in lived.report["intermediate"]]
    assert kinds == ["number", "number", "number", "invalid", "number"]
    assert all(one["details"] == {"hidden": 7} for one in lived.report["intermediate"])
    answers = [line for line in out.splitlines() if line.startswith('{"message"')]
    assert len(answers) == 3
    assert ('"score": 3.0' in answers[0]) is visible
    assert '"score": "invalid"' in answers[2]
    assert '{"error": "the score could not be taken"}\nstatus 1\n' in out
    assert "the answer is 42" in lived.told
    assert "status 2" in out
    assert lived.content[SUBMISSION] == b"done"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("{'score': 1, 'more': 2}", "it may hold score, message, details"),
        ("5", "intermediate_score gives 5"),
        ("{'score': 1, 'message': 'text'}", "message is of type str, not a dict"),
    ],
)
async def test_a_score_in_between_that_is_none_stops_nothing(
    given: str, reason: str, tmp_path: Path
) -> None:
    module = family(f"""
        intermediate_score = staticmethod(lambda t: {given})
        score = staticmethod(lambda t, s: 1)
    """)
    lived = await live(tmp_path, module)
    assert (lived.report["outcome"], lived.score["value"]) == ("ok", 1)
    assert lived.report["intermediate"] == []
    assert reason in lived.told


async def test_a_replay_ends_where_what_may_not_fail_fails(tmp_path: Path) -> None:
    steps = [{"run": "exit 3"}, {"run": "exit 4", "may_fail": False}, {"run": "echo never"}]
    lived = await live(tmp_path, static("return 1"), agent={"kind": "replay", "steps": steps})
    assert lived.report["agent"]["status"] == 4
    assert b"\nnever" not in lived.out


async def test_there_are_no_scores_in_between_where_the_family_has_none(tmp_path: Path) -> None:
    lived = await live(
        tmp_path, static("return 1"), agent={"kind": "replay", "steps": [{"score": True}]}
    )
    assert b"this task has no scores before its end" in lived.out
    assert lived.score["value"] == 1


async def test_a_program_of_the_agents_that_is_not_there(tmp_path: Path) -> None:
    lived = await live(
        tmp_path, static("return 1"), agent={"kind": "command", "argv": ["/opt/none"]}
    )
    assert lived.report["outcome"] == "task_error"
    assert "/opt/none: no such file or directory" in lived.report["reason"]
    assert lived.score is None
