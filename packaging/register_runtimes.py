#!/usr/bin/env python3
"""Find out which runsc arguments start a sandbox on this kernel, and register them with Docker.

Two named runtimes are merged into dockerd's existing daemon.json:

    evalbox-gvisor       evaluations without a network (the default)
    evalbox-gvisor-net   evaluations with a network

What works depends on kernel and runsc together (kernels from 6.11 on break the default network
of runsc before release-20240807), so each candidate is tried by really starting a sandbox.
Needs only the standard library, so that any Python 3.11 can run it, as root.

Exit status: 0 both work; 1 no sandbox starts; 2 wrong usage; 3 no Docker Engine answers;
4 daemon.json cannot be read, changed or reloaded; 5 runsc or the image is missing;
6 sandboxes start, but none with a network; 7 this user may not talk to the Docker Engine.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

DEFAULT_CONFIG = Path("/etc/docker/daemon.json")
DEFAULT_SOCKET = "/var/run/docker.sock"
DEFAULT_IMAGE = "evalbox/base:latest"
CANDIDATE_PREFIX = "evalbox-probe-"
PROBE_LABEL = "evalbox.probe"
PROBE_SCRIPT = "dmesg; cat /proc/net/dev"
PROBE_TIMEOUT = 20.0
RELOAD_TIMEOUT = 10.0
CLEANUP_TIMEOUT = 7.0  # containerd gives its own clean-up 5 s
QUIET_TIME = 0.3

EXIT_NO_SANDBOX = 1
EXIT_NO_ENGINE = 3
EXIT_CONFIG = 4
EXIT_MISSING = 5
EXIT_NO_NETWORK = 6
EXIT_FORBIDDEN = 7

Config = dict[str, Any]
Runtimes = dict[str, dict[str, Any]]


@dataclasses.dataclass(frozen=True, slots=True)
class Spec:
    """A runtime that evalbox needs: its candidates go from the most isolating to the least."""

    name: str
    network: str
    interfaces: frozenset[str]
    candidates: tuple[tuple[str, ...], ...]


SPECS = (
    Spec(
        name="evalbox-gvisor",
        network="none",
        interfaces=frozenset({"lo"}),
        # --network=none first: it has no way out even if a container is given a Docker network.
        candidates=(
            ("--network=none",),
            ("--platform=systrap", "--network=none"),
            (),
            ("--platform=systrap",),
        ),
    ),
    Spec(
        name="evalbox-gvisor-net",
        network="bridge",
        interfaces=frozenset({"lo", "eth0"}),
        # --network=host last: it is the container's own network namespace, but the host
        # kernel's network stack instead of gVisor's.
        candidates=(
            (),
            ("--platform=systrap",),
            ("--network=host",),
            ("--platform=systrap", "--network=host"),
        ),
    ),
)


@dataclasses.dataclass(frozen=True, slots=True)
class Probe:
    """What came of starting one sandbox; `reason` is empty where it worked."""

    runtime: str
    args: tuple[str, ...]
    seconds: float
    reason: str = ""

    @property
    def ok(self) -> bool:
        return not self.reason


@dataclasses.dataclass(frozen=True, slots=True)
class Result:
    """The end of the search for one runtime; `probes` in the order they were tried."""

    name: str
    args: tuple[str, ...] | None
    probes: tuple[Probe, ...]

    @property
    def ok(self) -> bool:
        return self.args is not None


class RegisterError(Exception):
    """What happened and what to do about it, with the exit status to end with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


# --- daemon.json ---


def read_config(path: Path) -> Config:
    """daemon.json as it is; a missing or empty file is an empty configuration."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise RegisterError(EXIT_CONFIG, f"{path} cannot be read: {error}") from error
    if not text.strip():
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise RegisterError(
            EXIT_CONFIG,
            f"{path} is not valid JSON ({error}); nothing was changed. Correct it first.",
        ) from error
    if not isinstance(config, dict) or not isinstance(config.get("runtimes", {}), dict):
        raise RegisterError(
            EXIT_CONFIG,
            f'{path} must hold a JSON object, and its "runtimes" an object; nothing was changed.',
        )
    return config


def merge_runtimes(config: Config, add: Runtimes, remove: Sequence[str] = ()) -> Config:
    """A new configuration: `config` with some runtimes set and some removed, all else kept.

    "runtimes" stays even when empty: without it dockerd keeps those it knew at a reload.
    """
    kept = {name: entry for name, entry in config.get("runtimes", {}).items() if name not in remove}
    return config | {"runtimes": kept | add}


def write_config(path: Path, config: Config) -> None:
    replace_file(path, json.dumps(config, indent=2, ensure_ascii=False).encode() + b"\n")


def replace_file(path: Path, content: bytes) -> None:
    """Replace daemon.json in one step, with the owner and mode it had."""
    target = path.resolve()
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        temporary = Path(name)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            was = target.stat()
            os.chown(temporary, was.st_uid, was.st_gid)
            temporary.chmod(was.st_mode & 0o7777)
        else:
            temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise RegisterError(
            EXIT_CONFIG, f"{path} cannot be written: {error.strerror}. Run this as root."
        ) from error


def back_up(path: Path) -> Path | None:
    """Keep a copy of daemon.json as it is now beside it; None where there is no file yet."""
    if not path.exists():
        return None
    copy = path.with_name(path.name + ".evalbox-backup")
    try:
        shutil.copy2(path, copy)
    except OSError as error:
        raise RegisterError(
            EXIT_CONFIG, f"{copy} cannot be written: {error.strerror}. Run this as root."
        ) from error
    return copy


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold off a second registration; the directory is the lock, as the file gets replaced."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise RegisterError(
            EXIT_CONFIG, f"{path.parent} cannot be opened: {error.strerror}. Run this as root."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


# --- Docker Engine ---


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class EngineError(Exception):
    """An answer of the Docker Engine that is not a success, or none within the time."""


class Engine:
    """The few calls of the Docker Engine API that a probe needs."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Engine:
        host = environment.get("DOCKER_HOST") or f"unix://{DEFAULT_SOCKET}"
        if not host.startswith("unix://"):
            raise RegisterError(
                EXIT_NO_ENGINE,
                f"DOCKER_HOST is {host}: runtimes can only be registered with an engine on this "
                "machine. Unset it, or set it to unix:///path/of/docker.sock.",
            )
        return cls(host.removeprefix("unix://"))

    def call(
        self, method: str, target: str, body: Any = None, timeout: float = PROBE_TIMEOUT
    ) -> bytes:
        connection = _UnixConnection(self.path, max(timeout, 0.1))
        try:
            headers = {"Content-Type": "application/json"}
            payload = None if body is None else json.dumps(body)
            connection.request(method, target, payload, headers)
            response = connection.getresponse()
            data = response.read()
        except TimeoutError as error:
            raise EngineError(f"no answer within {timeout:.0f} s") from error
        except PermissionError as error:
            raise RegisterError(
                EXIT_FORBIDDEN,
                f"this user may not use {self.path}: run this as root, or join the group docker.",
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(str(error) or type(error).__name__) from error
        finally:
            connection.close()
        if response.status >= 400:
            raise EngineError(_message(data))
        return data

    def runtimes(self) -> Runtimes:
        """The runtimes that the running engine knows, with their arguments."""
        try:
            info = json.loads(self.call("GET", "/info"))
        except EngineError as error:
            raise RegisterError(
                EXIT_NO_ENGINE,
                f"no Docker Engine answers on {self.path} ({error}). Start it, or set DOCKER_HOST.",
            ) from error
        return dict(info["Runtimes"])

    def require_image(self, image: str) -> None:
        try:
            self.call("GET", f"/images/{image}/json")
        except EngineError as error:
            raise RegisterError(
                EXIT_MISSING,
                f"the image {image} is needed to try a sandbox ({error}). "
                "Make it with 'evalbox images build', or name another with --image.",
            ) from error


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"]).strip()
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace").strip()


def plain_output(stream: bytes) -> str:
    """The text of a Docker log stream: frames, each with its length in an 8-byte header."""
    parts, at = [], 0
    while at + 8 <= len(stream):
        end = at + 8 + int.from_bytes(stream[at + 4 : at + 8], "big")
        parts.append(stream[at + 8 : end])
        at = end
    return b"".join(parts).decode(errors="replace")


# --- probing ---


def probe(engine: Engine, spec: Spec, runtime: str, args: Sequence[str], image: str) -> Probe:
    """Start one sandbox in `runtime` and look at what is inside; nothing of it is left."""
    started = time.monotonic()
    reason, container = "", ""
    try:
        container = _create(engine, spec, runtime, image)
        reason = _look_inside(engine, spec, container, started + PROBE_TIMEOUT)
    except EngineError as error:
        reason = " ".join(str(error).split())
    finally:
        if container:
            left = _remove(engine, container)
            if left:
                reason = f"{reason or 'started'}; left behind processes {left}: end them as root"
    return Probe(runtime, tuple(args), round(time.monotonic() - started, 2), reason)


def _create(engine: Engine, spec: Spec, runtime: str, image: str) -> str:
    body = {
        "Image": image,
        "Cmd": ["/bin/sh", "-c", PROBE_SCRIPT],
        "User": "65534:65534",
        "Labels": {PROBE_LABEL: spec.name},
        "HostConfig": {
            "Runtime": runtime,
            "NetworkMode": spec.network,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
        },
    }
    return str(json.loads(engine.call("POST", "/containers/create", body))["Id"])


def _look_inside(engine: Engine, spec: Spec, container: str, deadline: float) -> str:
    target = f"/containers/{container}"
    engine.call("POST", f"{target}/start", timeout=deadline - time.monotonic())
    engine.call("POST", f"{target}/wait", timeout=deadline - time.monotonic())
    output = plain_output(engine.call("GET", f"{target}/logs?stdout=1&stderr=1"))
    return judge(output, spec.interfaces)


def judge(output: str, interfaces: frozenset[str]) -> str:
    """Why what a sandbox printed is not what it should be; empty where it is."""
    if "gVisor" not in output:
        return "the container ran, but not under gVisor"
    found = set(re.findall(r"^\s*([\w.-]+):\s*\d", output, re.MULTILINE)) & {"lo", "eth0"}
    if found != interfaces:
        expected = ", ".join(sorted(interfaces))
        return f"network interfaces are {', '.join(sorted(found)) or 'none'} in place of {expected}"
    return ""


def _remove(engine: Engine, container: str) -> list[int]:
    """Remove the container and the processes that a failed start leaks (Docker forgets them)."""
    with contextlib.suppress(EngineError):
        engine.call("DELETE", f"/containers/{container}?force=1&v=1", timeout=5)
    left = reap(container)
    # A start that hung holds the container's lock, so the first removal may have timed out.
    with contextlib.suppress(EngineError):
        engine.call("DELETE", f"/containers/{container}?force=1&v=1", timeout=5)
    return left


def reap(container: str) -> list[int]:
    """End the sandbox processes of one container id; returns those that would not go.

    The shim is asked to end only after its sandbox is gone: containerd then sees a dead shim and
    cleans up what it owned (state files, cgroups, bundle) by processes that bear the id as well.
    """
    # A container that ended well is still being taken down by its shim for a moment.
    if processes_gone(container, within=1.0):
        return []
    _signal(find_processes(container, "runsc"), signal.SIGKILL)
    _signal(find_processes(container, "containerd-shim"), signal.SIGTERM)
    if not processes_gone(container, within=CLEANUP_TIMEOUT):
        _signal(find_processes(container), signal.SIGKILL)
        processes_gone(container, within=1.0)
    return find_processes(container)


def processes_gone(container: str, within: float) -> bool:
    """Whether none is left before the time is up, for long enough that none follows either."""
    last_seen = started = time.monotonic()
    while (now := time.monotonic()) - last_seen < QUIET_TIME:
        if now - started > within:
            return False
        if find_processes(container):
            last_seen = now
        time.sleep(0.05)
    return True


def find_processes(container: str, *kinds: str) -> list[int]:
    """Processes of runsc and containerd-shim whose command line names this container."""
    wanted = kinds or ("runsc", "containerd-shim")
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            command = command_line(int(entry.name))
            program = command[0].rpartition("/")[2]
            if program.startswith(wanted) and any(container in word for word in command):
                found.append(int(entry.name))
    return found


def command_line(process: int) -> list[str]:
    """The words a process was started with; one empty word where it is gone or a zombie."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]


def _signal(processes: Sequence[int], number: signal.Signals) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, number)


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.05)
    return True


# --- reloading ---


def find_dockerd(socket_path: str) -> tuple[int, Path] | None:
    """The process id of the dockerd behind a socket, and the daemon.json that it reads.

    Who listens on the socket is asked first, as containers may run a dockerd of their own; under
    systemd's socket activation that is systemd, and the oldest dockerd is taken.
    """
    numbers = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    for number in (*_listener(socket_path), *numbers):
        command = command_line(number)
        if command[0].rpartition("/")[2] == "dockerd":
            return number, config_of(command)
    return None


def _listener(path: str) -> tuple[int, ...]:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return (int.from_bytes(credentials[:4], sys.byteorder),)
    return ()


def config_of(command: Sequence[str]) -> Path:
    """The daemon.json named on dockerd's command line, else the default one."""
    for at, word in enumerate(command):
        if word.startswith("--config-file="):
            return Path(word.partition("=")[2])
        if word == "--config-file" and at + 1 < len(command):
            return Path(command[at + 1])
    return DEFAULT_CONFIG


def reload_engine(engine: Engine, config: Config) -> None:
    """Have dockerd re-read daemon.json, and wait until it knows exactly the runtimes in there."""
    daemon = find_dockerd(engine.path)
    if daemon is None:
        raise RegisterError(EXIT_CONFIG, "dockerd does not run on this machine: cannot reload it.")
    try:
        os.kill(daemon[0], signal.SIGHUP)
    except OSError as error:
        raise RegisterError(
            EXIT_CONFIG, f"dockerd cannot be reloaded ({error.strerror}). Run this as root."
        ) from error

    wanted = {name: _arguments(entry) for name, entry in config.get("runtimes", {}).items()}

    def reloaded() -> bool:
        live = {name: _arguments(entry) for name, entry in engine.runtimes().items()}
        stale = any(name.startswith("evalbox-") and name not in wanted for name in live)
        return not stale and wanted.items() <= live.items()

    if not wait_until(reloaded, RELOAD_TIMEOUT):
        raise RegisterError(
            EXIT_CONFIG,
            "dockerd did not take up the runtimes of daemon.json; its log says why "
            "(often: --add-runtime on its command line as well).",
        )


def _arguments(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(entry.get("runtimeArgs") or ())


# --- the whole ---


class Registrar:
    def __init__(self, engine: Engine, config_path: Path, image: str, runsc: str | None) -> None:
        self.engine = engine
        self.path = config_path
        self.image = image
        self.runsc = runsc

    def check(self) -> list[Result]:
        """Probe what the engine has registered, changing nothing."""
        live = self.engine.runtimes()
        self.engine.require_image(self.image)
        return [self._check_one(spec, live) for spec in SPECS]

    def _check_one(self, spec: Spec, live: Runtimes) -> Result:
        if spec.name not in live:
            return Result(spec.name, None, (Probe(spec.name, (), 0.0, "not registered"),))
        args = _arguments(live[spec.name])
        tried = probe(self.engine, spec, spec.name, args, self.image)
        return Result(spec.name, args if tried.ok else None, (tried,))

    def register(self) -> tuple[list[Result], bool]:
        """Make both runtimes work; whether daemon.json had to be changed comes second."""
        results = self.check()
        if all(result.ok for result in results):
            return results, False
        with locked(self.path):
            # Another registration may have been at work until now.
            results = self.check()
            if all(result.ok for result in results):
                return results, False
            original = read_config(self.path)
            before = self.path.read_bytes() if self.path.exists() else None
            back_up(self.path)
            try:
                results = [
                    result if result.ok else self._search(spec, original)
                    for spec, result in zip(SPECS, results, strict=True)
                ]
                self._apply(self._finished(original, results))
            except BaseException:
                self._restore(original, before)
                raise
        return results, True

    def _search(self, spec: Spec, original: Config) -> Result:
        """Try the candidates of one runtime, each registered under a name of its own."""
        names = [f"{CANDIDATE_PREFIX}{at}" for at in range(len(spec.candidates))]
        entries = {
            name: self._entry(args) for name, args in zip(names, spec.candidates, strict=True)
        }
        self._apply(merge_runtimes(original, entries))
        probes: list[Probe] = []
        for name, args in zip(names, spec.candidates, strict=True):
            probes.append(probe(self.engine, spec, name, args, self.image))
            if probes[-1].ok:
                return Result(spec.name, args, tuple(probes))
        return Result(spec.name, None, tuple(probes))

    def _finished(self, original: Config, results: Sequence[Result]) -> Config:
        add = {
            result.name: self._entry(result.args)
            for result in results
            if result.args is not None and result.probes[-1].runtime != result.name
        }
        failed = [result.name for result in results if not result.ok]
        stale = [name for name in original.get("runtimes", {}) if is_candidate(name)]
        return merge_runtimes(original, add, failed + stale)

    def _entry(self, args: Sequence[str]) -> dict[str, Any]:
        if self.runsc is None:
            raise RegisterError(
                EXIT_MISSING, "runsc is not on the PATH. Install it, or name it with --runsc."
            )
        return {"path": self.runsc, "runtimeArgs": list(args)}

    def _apply(self, config: Config) -> None:
        write_config(self.path, config)
        reload_engine(self.engine, config)

    def _restore(self, original: Config, before: bytes | None) -> None:
        """Have dockerd forget the candidates, then put daemon.json back byte for byte."""
        with contextlib.suppress(RegisterError):
            self._apply(merge_runtimes(original, {}))
        if before is None:
            self.path.unlink(missing_ok=True)
        else:
            replace_file(self.path, before)

    def unregister(self) -> bool:
        """Take out of daemon.json what `register` put in; whether there was anything."""
        with locked(self.path):
            config = read_config(self.path)
            ours = [name for name in config.get("runtimes", {}) if is_ours(name)]
            if not ours:
                return False
            back_up(self.path)
            write_config(self.path, merge_runtimes(config, {}, ours))
            if find_dockerd(self.engine.path) is not None:
                reload_engine(self.engine, read_config(self.path))
        return True


def is_candidate(name: str) -> bool:
    return name.startswith(CANDIDATE_PREFIX)


def is_ours(name: str) -> bool:
    return is_candidate(name) or any(name == spec.name for spec in SPECS)


def describe(result: Result) -> str:
    lines = []
    for tried in result.probes:
        arguments = " ".join(tried.args) or "no arguments"
        verdict = f"started in {tried.seconds:.2f} s" if tried.ok else f"failed: {tried.reason}"
        lines.append(f"{result.name}: {arguments}: {verdict}")
    return "\n".join(lines)


def as_json(results: Sequence[Result], changed: bool, config: Path) -> str:
    document = {
        "ok": all(result.ok for result in results),
        "changed": changed,
        "config": str(config),
        "runtimes": [dataclasses.asdict(result) | {"ok": result.ok} for result in results],
    }
    return json.dumps(document, indent=2)


def exit_status(results: Sequence[Result]) -> int:
    isolated, networked = (result.ok for result in results)
    if not isolated:
        return EXIT_NO_SANDBOX
    return 0 if networked else EXIT_NO_NETWORK


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Probe and register evalbox's gVisor runtimes with Docker."
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="only probe what is registered, report")
    mode.add_argument("--ping", action="store_true", help="only ask for the engine and the image")
    mode.add_argument("--remove", action="store_true", help="take evalbox's runtimes out again")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--image", default=DEFAULT_IMAGE, help="image to start (%(default)s)")
    parser.add_argument("--config", type=Path, help="daemon.json (default: the one dockerd reads)")
    parser.add_argument("--runsc", default=shutil.which("runsc"), help="path of runsc")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> int:
    engine = Engine.from_environment(os.environ)
    if options.ping:
        engine.runtimes()
        engine.require_image(options.image)
        return 0
    daemon = find_dockerd(engine.path)
    config = options.config or (daemon[1] if daemon else DEFAULT_CONFIG)
    registrar = Registrar(engine, config, options.image, options.runsc)
    if options.remove:
        removed = registrar.unregister()
        print(f"runtimes removed from {config}" if removed else f"no runtimes of ours in {config}")
        return 0
    if options.check:
        results, changed = registrar.check(), False
    else:
        results, changed = registrar.register()
    if options.json:
        print(as_json(results, changed, config))
    else:
        print("\n".join(describe(result) for result in results))
    return exit_status(results)


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        return run(parse(arguments))
    except RegisterError as error:
        print(f"register_runtimes: {error}", file=sys.stderr)
        return error.status


if __name__ == "__main__":
    # Leave through the clean-up of a probe and of daemon.json when told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main())
