from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "packaging" / "register_runtimes.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("register_runtimes", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


rr = _load()

OURS = {"path": "/usr/bin/runsc", "runtimeArgs": ["--network=none"]}
OTHER = {"path": "/opt/kata", "runtimeArgs": ["--x"]}


class FakeEngine:
    """Knows the runtimes of the daemon.json that it was last told to reload."""

    def __init__(self, config: Path, starts: Sequence[tuple[str, ...]]) -> None:
        self.config = config
        self.path = "/nowhere/docker.sock"
        self.starts = starts
        self.live: dict[str, Any] = {}
        self.reloads = 0
        self.probed: list[tuple[str, tuple[str, ...]]] = []

    def runtimes(self) -> dict[str, Any]:
        return self.live

    def require_image(self, image: str) -> None:
        pass

    def reload(self, _engine: object, config: dict[str, Any]) -> None:
        assert json.loads(self.config.read_text()) == config
        self.reloads += 1
        self.live = dict(config.get("runtimes", {}))

    def probe(
        self, _engine: object, spec: Any, runtime: str, args: Sequence[str], image: str
    ) -> Any:
        assert runtime in self.live
        self.probed.append((spec.name, tuple(args)))
        reason = "" if tuple(args) in self.starts else "cannot run"
        return rr.Probe(runtime, tuple(args), 0.1, reason)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "daemon.json"


def registrar(
    monkeypatch: pytest.MonkeyPatch, config: Path, starts: Sequence[tuple[str, ...]]
) -> tuple[Any, FakeEngine]:
    engine = FakeEngine(config, starts)
    monkeypatch.setattr(rr, "probe", engine.probe)
    monkeypatch.setattr(rr, "reload_engine", engine.reload)
    return rr.Registrar(engine, config, "image", "/usr/bin/runsc"), engine


def write(config: Path, content: Any) -> bytes:
    config.parent.mkdir(exist_ok=True)
    config.write_text(content if isinstance(content, str) else json.dumps(content))
    return config.read_bytes()


class TestMerge:
    def test_other_keys_and_runtimes_are_kept(self) -> None:
        config = {"log-driver": "local", "runtimes": {"kata": OTHER}, "dns": ["192.0.2.1"]}

        merged = rr.merge_runtimes(config, {"evalbox-gvisor": OURS})

        assert merged == config | {"runtimes": {"kata": OTHER, "evalbox-gvisor": OURS}}
        assert config["runtimes"] == {"kata": OTHER}

    def test_one_that_is_there_is_replaced(self) -> None:
        config = {"runtimes": {"evalbox-gvisor": OTHER}}

        assert rr.merge_runtimes(config, {"evalbox-gvisor": OURS}) == {
            "runtimes": {"evalbox-gvisor": OURS}
        }

    @pytest.mark.parametrize("config", [{}, {"debug": True}, {"runtimes": {"kata": OTHER}}])
    def test_taking_out_what_was_added_keeps_the_rest(self, config: dict[str, Any]) -> None:
        merged = rr.merge_runtimes(config, {"evalbox-gvisor": OURS})

        back = rr.merge_runtimes(merged, {}, ["evalbox-gvisor"])

        assert back == {"runtimes": {}} | config


class TestReading:
    @pytest.mark.parametrize("content", ["", " \n"])
    def test_an_empty_file_is_an_empty_configuration(self, config: Path, content: str) -> None:
        write(config, content)

        assert rr.read_config(config) == {}

    def test_no_file_is_an_empty_configuration(self, config: Path) -> None:
        assert rr.read_config(config) == {}

    @pytest.mark.parametrize("content", ["{", '{"a": 1,}', "[]", "null", '{"runtimes": []}'])
    def test_what_is_not_a_configuration_is_an_error_that_names_the_file(
        self, config: Path, content: str
    ) -> None:
        write(config, content)

        with pytest.raises(rr.RegisterError, match=r"daemon\.json.*nothing was changed") as caught:
            rr.read_config(config)

        assert caught.value.status == rr.EXIT_CONFIG

    def test_bytes_that_are_no_text_are_an_error(self, config: Path) -> None:
        config.parent.mkdir()
        config.write_bytes(b"\xff\xfe{}")

        with pytest.raises(rr.RegisterError, match="cannot be read"):
            rr.read_config(config)


class TestWriting:
    def test_mode_is_kept(self, config: Path) -> None:
        write(config, {})
        config.chmod(0o640)

        rr.write_config(config, {"debug": True})

        assert config.stat().st_mode & 0o777 == 0o640
        assert json.loads(config.read_text()) == {"debug": True}

    def test_a_link_stays_a_link(self, config: Path, tmp_path: Path) -> None:
        config.parent.mkdir()
        real = tmp_path / "real.json"
        real.write_text("{}")
        config.symlink_to(real)

        rr.write_config(config, {"debug": True})

        assert config.is_symlink()
        assert json.loads(real.read_text()) == {"debug": True}

    def test_a_write_that_fails_leaves_the_file_and_no_litter(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = write(config, {"debug": True})

        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(rr.RegisterError, match="No space left on device") as caught:
            rr.write_config(config, {})

        assert caught.value.status == rr.EXIT_CONFIG
        assert config.read_bytes() == before
        assert [path.name for path in config.parent.iterdir()] == ["daemon.json"]

    def test_a_directory_that_cannot_be_made_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")

        with pytest.raises(rr.RegisterError, match="Run this as root"):
            rr.write_config(tmp_path / "file" / "daemon.json", {})


class TestRegister:
    def test_first_candidates_that_start_are_registered(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = write(config, {"debug": True, "runtimes": {"kata": OTHER}})
        work, engine = registrar(monkeypatch, config, [("--network=none",), ("--network=host",)])

        results, changed = work.register()

        assert changed
        assert [result.args for result in results] == [("--network=none",), ("--network=host",)]
        assert json.loads(config.read_text()) == {
            "debug": True,
            "runtimes": {
                "kata": OTHER,
                "evalbox-gvisor": OURS,
                "evalbox-gvisor-net": {
                    "path": "/usr/bin/runsc",
                    "runtimeArgs": ["--network=host"],
                },
            },
        }
        assert config.with_name("daemon.json.evalbox-backup").read_bytes() == before
        assert engine.live == json.loads(config.read_text())["runtimes"]

    def test_a_second_time_nothing_is_done(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        work, engine = registrar(monkeypatch, config, [("--network=none",), ()])
        work.register()
        reloads, written = engine.reloads, config.stat()

        results, changed = work.register()

        assert not changed
        assert all(result.ok for result in results)
        assert engine.reloads == reloads
        assert config.stat() == written

    def test_one_that_starts_no_more_is_searched_anew(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        work, engine = registrar(monkeypatch, config, [("--network=none",), ()])
        work.register()

        engine.starts = [("--network=none",), ("--network=host",)]
        results, changed = work.register()

        assert changed
        assert [result.args for result in results] == [("--network=none",), ("--network=host",)]
        runtimes = json.loads(config.read_text())["runtimes"]
        assert runtimes["evalbox-gvisor-net"]["runtimeArgs"] == ["--network=host"]
        assert not [name for name in runtimes if rr.is_candidate(name)]

    def test_without_a_network_the_other_one_is_still_registered(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        work, _ = registrar(monkeypatch, config, [("--network=none",)])

        results, _ = work.register()

        assert rr.exit_status(results) == rr.EXIT_NO_NETWORK
        assert list(json.loads(config.read_text())["runtimes"]) == ["evalbox-gvisor"]

    def test_where_nothing_starts_nothing_stays(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(config, {"debug": True})
        work, engine = registrar(monkeypatch, config, [])

        results, _ = work.register()

        assert rr.exit_status(results) == rr.EXIT_NO_SANDBOX
        assert json.loads(config.read_text()) == {"debug": True, "runtimes": {}}
        assert engine.live == {}
        tried = [args for name, args in engine.probed if name == "evalbox-gvisor"]
        assert tried == list(rr.SPECS[0].candidates)

    @pytest.mark.parametrize("content", [None, {"debug": True}])
    def test_an_interrupted_search_leaves_the_file_as_it_was(
        self, config: Path, monkeypatch: pytest.MonkeyPatch, content: Any
    ) -> None:
        before = None if content is None else write(config, content)
        work, engine = registrar(monkeypatch, config, [])

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(rr, "probe", interrupted)
        with pytest.raises(KeyboardInterrupt):
            work.register()

        if before is None:
            assert not config.exists()
        else:
            assert config.read_bytes() == before
        assert engine.live == {}

    def test_candidates_that_a_killed_search_left_are_cleared(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(config, {"runtimes": {"evalbox-probe-0": OURS}})
        work, _ = registrar(monkeypatch, config, [("--network=none",), ()])

        work.register()

        assert set(json.loads(config.read_text())["runtimes"]) == {
            "evalbox-gvisor",
            "evalbox-gvisor-net",
        }

    def test_invalid_json_is_left_alone(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = write(config, "{oops")
        work, engine = registrar(monkeypatch, config, [("--network=none",), ()])

        with pytest.raises(rr.RegisterError, match="not valid JSON"):
            work.register()

        assert config.read_bytes() == before
        assert engine.reloads == 0
        assert [path.name for path in config.parent.iterdir()] == ["daemon.json"]

    def test_without_runsc_nothing_is_touched(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = write(config, {"debug": True})
        work, _ = registrar(monkeypatch, config, [()])
        work.runsc = None

        with pytest.raises(rr.RegisterError, match="runsc is not on the PATH") as caught:
            work.register()

        assert caught.value.status == rr.EXIT_MISSING
        assert config.read_bytes() == before

    def test_unregister_takes_out_ours_alone(
        self, config: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        content = {"debug": True, "runtimes": {"kata": OTHER}}
        write(config, content)
        work, _ = registrar(monkeypatch, config, [("--network=none",), ()])
        monkeypatch.setattr(rr, "find_dockerd", lambda _path: None)
        work.register()

        assert work.unregister()
        assert json.loads(config.read_text()) == content
        assert not work.unregister()


class TestJudge:
    LO = "    lo:       0       0\n"
    ETH0 = "  eth0:     200       2\n"
    GVISOR = "[    0.000000] Starting gVisor...\n"

    @pytest.mark.parametrize(
        ("output", "interfaces", "reason"),
        [
            (GVISOR + LO, {"lo"}, ""),
            (GVISOR + ETH0 + LO, {"lo", "eth0"}, ""),
            (LO, {"lo"}, "not under gVisor"),
            (GVISOR + LO, {"lo", "eth0"}, "interfaces are lo in place of eth0, lo"),
            (GVISOR + ETH0 + LO, {"lo"}, "interfaces are eth0, lo in place of lo"),
            (GVISOR, {"lo"}, "interfaces are none"),
        ],
    )
    def test_reason(self, output: str, interfaces: set[str], reason: str) -> None:
        found = rr.judge(output, frozenset(interfaces))

        assert reason in found
        assert bool(found) == bool(reason)

    def test_log_frames_are_joined(self) -> None:
        stream = b"\1\0\0\0\0\0\0\3abc" + b"\2\0\0\0\0\0\0\2de"

        assert rr.plain_output(stream) == "abcde"


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (["dockerd"], "/etc/docker/daemon.json"),
        (["dockerd", "--config-file=/a/b.json"], "/a/b.json"),
        (["dockerd", "-D", "--config-file", "/a/b.json"], "/a/b.json"),
    ],
)
def test_config_is_the_one_that_dockerd_reads(command: list[str], path: str) -> None:
    assert rr.config_of(command) == Path(path)


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ({}, "/var/run/docker.sock"),
        ({"DOCKER_HOST": ""}, "/var/run/docker.sock"),
        ({"DOCKER_HOST": "unix:///run/other.sock"}, "/run/other.sock"),
    ],
)
def test_socket(host: dict[str, str], path: str) -> None:
    assert rr.Engine.from_environment(host).path == path


def test_a_remote_engine_is_refused() -> None:
    with pytest.raises(rr.RegisterError, match=r"tcp://192\.0\.2\.1") as caught:
        rr.Engine.from_environment({"DOCKER_HOST": "tcp://192.0.2.1:2375"})

    assert caught.value.status == rr.EXIT_NO_ENGINE


def test_no_engine_is_one_line_with_its_own_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    assert rr.main(["--check"]) == rr.EXIT_NO_ENGINE

    error = capsys.readouterr().err
    assert f"{tmp_path}/none.sock" in error
    assert error.count("\n") == 1


@pytest.fixture
def leaked() -> Iterator[Callable[[str, str], int]]:
    """Starts processes that look like those which a failed start leaves behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, container: str) -> int:
        command = [program, "-c", "import time; time.sleep(60)", f"--bundle=/x/{container}"]
        started.append(subprocess.Popen(command, executable=sys.executable))
        return started[-1].pid

    yield start
    for process in started:
        process.kill()
        process.wait()


class TestReap:
    def test_all_processes_of_the_container_and_no_others_are_ended(
        self, leaked: Callable[[str, str], int]
    ) -> None:
        container, other = "c0ffee" * 10, "decaf0" * 10
        for program in ("runsc-sandbox", "runsc-gofer", "/usr/bin/containerd-shim-runc-v2"):
            leaked(program, container)
        survivors = [leaked("runsc-sandbox", other), leaked("editor", container)]
        assert rr.wait_until(lambda: len(rr.find_processes(container)) == 3, 5)

        assert rr.reap(container) == []

        assert rr.find_processes(container) == []
        assert rr.find_processes(other) == survivors[:1]
        assert rr.command_line(survivors[1])[0] == "editor"

    def test_nothing_to_end(self) -> None:
        assert rr.reap("c0ffee" * 10) == []


@pytest.mark.gvisor
class TestRealEngine:
    def test_registered_runtimes_start_a_sandbox(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert rr.main(["--check", "--json"]) == 0

        report = json.loads(capsys.readouterr().out)
        assert report["ok"]
        assert not report["changed"]
        assert {entry["name"] for entry in report["runtimes"]} == {
            "evalbox-gvisor",
            "evalbox-gvisor-net",
        }

    def test_a_runtime_that_is_not_gvisor_is_told_from_one_that_is(self) -> None:
        engine = rr.Engine.from_environment(os.environ)

        tried = rr.probe(engine, rr.SPECS[0], "runc", (), rr.DEFAULT_IMAGE)

        assert "not under gVisor" in tried.reason or "OCI runtime" in tried.reason

    def test_an_unknown_runtime_is_a_reason(self) -> None:
        engine = rr.Engine.from_environment(os.environ)

        tried = rr.probe(engine, rr.SPECS[0], "evalbox-no-such-runtime", (), rr.DEFAULT_IMAGE)

        assert "evalbox-no-such-runtime" in tried.reason
