"""Runs operations and agents, each in a session of its own and with a deadline."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .family import ROOT
from .pump import Pump
from .users import AGENT_HOME, AGENT_ID

#: What only root sees: plans, submissions, results.
STATE = Path(ROOT, ".evalbox")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Broken(Exception):
    """An operation gave no result; the message says why. ``timed_out``: it took too long."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


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
    result = STATE / f"result-{secrets.token_hex(16)}"
    reader, writer = os.pipe()
    process = subprocess.Popen(
        [sys.executable, sys.argv[0], "operation", name],
        stdin=subprocess.PIPE, stdout=writer, stderr=writer, cwd=ROOT,
        env=base_environment(ROOT, "root") | dict(environment), start_new_session=True,
    )  # fmt: skip
    os.close(writer)
    pump = Pump(reader)
    try:
        assert process.stdin is not None
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(json.dumps({**asked, "result": str(result)}).encode())
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        kill_session(process.pid)
        process.wait()
        raise Broken(f"{name} took longer than {seconds:g} s", timed_out=True) from None
    finally:
        pump.settle()
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
    try:
        process = subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL, stdout=1, stderr=1, cwd=AGENT_HOME,
            env=base_environment(AGENT_HOME, "agent") | dict(environment),
            user=AGENT_ID, group=AGENT_ID, extra_groups=[], umask=0o022, start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise Broken(f"{command[0]}: {(error.strerror or str(error)).lower()}") from None
    try:
        status = process.wait(max(0.0, seconds))
    except subprocess.TimeoutExpired:
        kill_session(process.pid)
        process.wait()
        return None
    return 128 - status if status < 0 else status


def kill_session(leader: int) -> None:
    """Kills all that is in the session of ``leader``."""
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with suppress(OSError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)
