"""Runs operations and agents, each in a session of its own and with a deadline."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .family import ROOT
from .pump import Pump
from .users import AGENT_HOME, AGENT_ID, kill_all

#: What only root sees: plans, submissions, results.
STATE = Path(ROOT, ".evalbox")
#: What is in the image, for who made it.
DESCRIPTION = STATE / "family.json"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Broken(Exception):
    """An operation gave no result; the message says why."""


def make_state() -> None:
    STATE.mkdir(exist_ok=True)
    STATE.chmod(0o700)


def base_environment(home: str, user: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
    path = os.environ.get("PATH", _PATH)
    return {"PATH": path, "HOME": home, "USER": user, "LOGNAME": user, **kept}


def operate(
    name: str, asked: Mapping[str, Any], *, environment: Mapping[str, str], seconds: float
) -> Any:
    """The result of an operation on the family. Raises ``Broken``."""
    make_state()
    asked = {**asked, "environment": dict(environment)}
    result = STATE / f"result-{secrets.token_hex(16)}"
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, sys.argv[0], "operation", name],
        stdin=subprocess.PIPE, stdout=writer, stderr=writer, cwd=ROOT,
        env=base_environment(ROOT, "root"), start_new_session=True,
    )  # fmt: skip
    os.close(writer)
    pump = Pump(reader)
    try:
        assert process.stdin is not None
        with ended_after(process, seconds) as late:
            with suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(json.dumps({**asked, "result": str(result)}).encode())
            status = process.wait()
    finally:
        pump.settle()
    if late.is_set():
        result.unlink(missing_ok=True)
        raise Broken(f"{name} took longer than {seconds:g} s")
    return _read(name, result, status)


def _read(name: str, result: Path, status: int) -> Any:
    try:
        told = json.loads(result.read_bytes())
    except (OSError, ValueError):
        raise Broken(f"{name} {_ended(status)} and gave no result") from None
    finally:
        result.unlink(missing_ok=True)
    if "value" in told and status == 0:
        return told["value"]
    if "mistake" in told:
        raise Broken(str(told["mistake"]))
    if "raised" in told:
        raise Broken(f"{name} raised {told['raised']}")
    raise Broken(f"{name} {_ended(status)}")


def _ended(status: int) -> str:
    return f"died of signal {-status}" if status < 0 else f"ended with status {status}"


def run_as_agent(
    command: Sequence[str], *, seconds: float, environment: Mapping[str, str]
) -> int | None:
    """Its exit status, as a shell has it; None where it took too long, and was ended."""
    os.set_blocking(1, True)
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL, stdout=1, stderr=1, cwd=AGENT_HOME,
            env=base_environment(AGENT_HOME, "agent") | dict(environment),
            user=AGENT_ID, group=AGENT_ID, extra_groups=[], umask=0o022, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Broken(f"{command[0]}: {(error.strerror or str(error)).lower()}") from None
    with ended_after(process, seconds) as late:
        status = process.wait()
    if late.is_set():
        return None
    return 128 - status if status < 0 else status


@contextmanager
def ended_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Kills it and its session after so long; what is given is set then.

    Waiting with a timeout looks again and again, which costs each short operation its time.
    """
    late = threading.Event()

    def end() -> None:
        late.set()
        kill_session(process.pid)

    timer = threading.Timer(max(0.0, seconds), end)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def kill_session(leader: int) -> None:
    """Kills all that is in the session of ``leader``, and what that has begun meanwhile."""

    def members() -> set[int]:
        found = set()
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            with suppress(OSError):
                if os.getsid(pid) == leader:
                    found.add(pid)
        return found

    kill_all(members)
