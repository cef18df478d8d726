"""The main job on real gVisor, as a user does it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from cli_harness import SAMPLES, Cli, finish
from service_harness import serving

pytestmark = pytest.mark.gvisor


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.mark.parametrize(
    ("name", "greeting"),
    [("hello.py", "from Python 3"), ("hello.js", "from Node.js"), ("hello.sh", "from a shell")],
)
def test_hello_in_each_language(cli: Cli, name: str, greeting: str) -> None:
    ended = cli("run", SAMPLES / "hello" / name, "Ada")
    assert ended.code == 0, ended
    assert ended.text.startswith("Hello, Ada, ")
    assert greeting in ended.text
    assert "I am user 1000 in /home/agent" in ended.said
    assert ended.said.splitlines()[-1].startswith("ok in ")


def test_it_really_is_gvisor_and_its_image_is_recorded(cli: Cli) -> None:
    ended = cli("run", "--json", "--", "dmesg")
    assert "Starting gVisor" in ended.json["stdout"]
    attempt = ended.json["attempts"][0]
    assert (attempt["engine"], attempt["outcome"]) == ("gvisor", "ok")
    assert "sha256:" in attempt["image_digest"]
    assert attempt["usage"]["memory_peak"] > 0


@pytest.mark.parametrize("code", [1, 42, 137, 255])
def test_exit_statuses(cli: Cli, code: int) -> None:
    ended = cli("run", "--", "sh", "-c", f"exit {code}")
    assert ended.code == code
    assert ended.said.splitlines()[-1].startswith("killed" if code == 137 else "failed")


def test_a_command_that_is_not_there(cli: Cli) -> None:
    assert cli("run", "--", "no-such-program").code == 127


def test_a_shebang_script_and_one_from_standard_input(cli: Cli) -> None:
    first = "#!/usr/bin/env -S python3 -u"
    (cli.work / "tool").write_text(f"{first}\nimport sys; print(sys.argv[1:])\n")
    assert cli("run", "tool", "a b", "--", "--flag").text == "['a b', '--flag']\n"
    ended = cli("run", "-", "--lang", "js", stdin=b"console.log(6 * 7)")
    assert (ended.code, ended.text) == (0, "42\n")
    (cli.work / "cookie.py").write_bytes(b"# coding: latin-1\nprint(ascii('\xe9'))\n")
    assert cli("run", "cookie.py").text == "'\\xe9'\n"


@pytest.mark.parametrize(
    ("arguments", "code", "outcome"),
    [
        (("--memory", "64m", "memory"), 121, "out_of_memory"),
        (("--timeout", "2s", "cpu"), 124, "timeout"),
        (("--disk", "16m", "disk"), 123, "disk_limit"),
        (("--output-limit", "1m", "output"), 122, "output_limit"),
        (("--pids", "32", "forks"), 3, "failed"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else None,
)
def test_each_limit_has_its_verdict(
    cli: Cli, arguments: tuple[str, ...], code: int, outcome: str
) -> None:
    *limits, what = arguments
    ended = cli("run", "--timeout", "30s", *limits, SAMPLES / "hog" / "hog.py", what)
    assert cli.evaluations()[0]["outcome"] == outcome, ended.said
    assert ended.code == code
    assert outcome in ended.said


def test_fizzbuzz_is_checked(cli: Cli) -> None:
    directory = SAMPLES / "fizzbuzz"
    scored = ("run", "--score", "score.json", "--file")
    right = cli(*scored, directory / "solution.py", directory / "check.py")
    assert (right.code, right.text) == (0, "13 of 13 right\n")
    assert "score 1" in right.said
    wrong = cli(*scored, f"{directory}/wrong.py:solution.py", directory / "check.py")
    assert wrong.code == 1
    assert "fizzbuzz(15) is 'Fizz', not 'FizzBuzz'" in wrong.text
    assert "score 0.538462" in wrong.said
    assert (
        "fizzbuzz(15)  failed  'Fizz', not 'FizzBuzz'"
        in cli("show", cli.evaluations()[0]["id"]).text
    )


def test_files_directories_standard_input_and_environment(cli: Cli) -> None:
    data = SAMPLES / "data_analysis"
    analysed = cli("run", "--stdin", data / "temperatures.csv", data / "analyse.py")
    assert analysed.code == 0
    assert "Nairobi" in analysed.text
    again = cli("run", "--file", data, "--", "python3", "data_analysis/analyse.py",
                "data_analysis/temperatures.csv")  # fmt: skip
    assert again.out == analysed.out
    assert cli("run", "--stdin", "-", "--", "cat", stdin=b"\0\xff").out == b"\0\xff"
    assert cli("run", "-e", "A=x y", "--", "sh", "-c", 'echo "$A"').text == "x y\n"


def test_artifacts(cli: Cli) -> None:
    ended = cli(
        "run", "--artifact", "out", "--artifacts-dir", "here", SAMPLES / "artifacts/artifacts.py"
    )
    assert ended.code == 0, ended
    files = sorted(path.name for path in (cli.work / "here").rglob("*") if path.is_file())
    assert files == ["sine.csv", "sine.svg"]
    assert "2 artifacts" in ended.said


def test_links_among_artifacts_are_not_followed(cli: Cli) -> None:
    script = "mkdir out; ln -s /etc/passwd out/link; mkfifo out/pipe; echo x > out/file"
    ended = cli("run", "--artifact", "out", "--", "sh", "-c", script)
    assert ended.code == 0, ended
    kept = [path for path in (cli.work / "evalbox-artifacts").rglob("*") if not path.is_dir()]
    assert [path.name for path in kept] == ["file"]
    assert "link" in ended.said


def test_ctrl_c_cancels(cli: Cli) -> None:
    running = cli.start("run", "--", "sh", "-c", "echo up; sleep 600")
    assert running.stdout is not None
    assert running.stdout.readline() == b"up\n"
    ended = finish(running, signal.SIGINT)
    assert ended.code == 130
    assert cli.evaluations()[0]["outcome"] == "cancelled"


def test_repeat_submit_and_two_processes_at_once(cli: Cli) -> None:
    identifier = cli("submit", "--", "echo", "submitted").text.strip()
    first = cli.start("run", "--repeat", "2", "--", "true")
    second = cli.start("wait", identifier)
    ended = finish(first), finish(second)
    assert [one.code for one in ended] == [0, 0], ended
    assert cli("logs", identifier).text == "submitted\n"
    assert {item["outcome"] for item in cli.evaluations()} == {"ok"}
    assert len(cli.evaluations()) == 3


def test_flaky_works_in_the_end(cli: Cli) -> None:
    ended = cli("run", "--retries", "20", SAMPLES / "flaky" / "flaky.py", "0.3")
    assert ended.code == 0
    assert ended.text.endswith("it worked\n")


def test_there_is_no_network(cli: Cli) -> None:
    script = "import socket; print(socket.socket().connect_ex(('1.1.1.1', 53)) != 0)"
    assert cli("run", "--timeout", "30s", "--", "python3", "-c", script).text == "True\n"


def test_an_unknown_image_is_refused(cli: Cli) -> None:
    ended = cli("run", "--image", "evalbox/no-such:1", "--", "true")
    assert ended.code == 66
    assert "evalbox/no-such:1" in ended.said
    assert "hint: " in ended.said
    assert cli.evaluations() == []


def test_no_engine(cli: Cli) -> None:
    ended = cli("run", "--", "true", env={"DOCKER_HOST": f"unix://{cli.work}/nothing.sock"})
    assert ended.code == 69, ended
    assert "hint: " in ended.said
    assert cli.evaluations() == []


def test_doctor_and_images(cli: Cli) -> None:
    ended = cli("doctor", "--engine", "gvisor", "--json")
    assert ended.code in (0, 1), ended
    names = {check["name"] for check in ended.json}
    assert {"python", "kernel", "cgroups", "memory", "disk", "data directory", "clock"} <= names
    assert any(name.startswith("gvisor") for name in names)
    assert all(check["remedy"] for check in ended.json if check["level"] != "ok")
    images = cli("images", "--json").json
    assert any("evalbox/base:latest" in image["names"] for image in images)
    assert cli("images", "rm", "evalbox/no-such:1").code == 66
    assert cli("images", "load", "nope.tar").code == 66


def test_a_secret_reaches_the_program_and_no_file(cli: Cli) -> None:
    marker = "marker-of-a-secret"
    cli.env["TOKEN"] = marker
    ended = cli("run", "--env", "TOKEN", "--", "sh", "-c", "printf %s $TOKEN | tr a-z A-Z")
    assert ended.text == marker.upper()
    files = [path for path in cli.data.rglob("*") if path.is_file()]
    assert not [path for path in files if marker.encode() in path.read_bytes()]


@pytest.mark.timeout(170)
def test_a_run_goes_on_when_its_service_is_killed(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    script = "i=0; while [ $i -lt 40 ]; do echo $i; i=$((i+1)); sleep 0.1; done"
    with serving(cli) as service:
        running = cli.start("run", "--", "sh", "-c", script)
        assert running.stdout is not None
        assert running.stdout.readline() == b"0\n"
        service.process.kill()
        service.stop()
    ended = finish(running)
    assert (ended.code, ended.out) == (0, b"".join(b"%d\n" % n for n in range(1, 40))), ended.said
    assert len(cli("show", cli.evaluations()[0]["id"], "--json").json["attempts"]) == 1
