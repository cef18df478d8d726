"""Jobs that look for the host, and ask the kernel for more than they may: rows 17 and 18."""

from __future__ import annotations

import getpass
import json
import os
import platform
import re
import secrets
from pathlib import Path

import pytest
import pytest_asyncio
import traces
from aftermath import LIMITS, PROGRAMS, Aftermath
from terminal import through_pipes

from evalbox.domain.evaluation import Network
from evalbox.domain.limits import MIB
from evalbox.domain.outcome import Outcome

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

USERS = ["1000:1000", "0:0"]
#: What even root may, since it gives nothing that it had not.
HARMLESS = {"setuid 0", "setgid 0", "keyctl"}
#: What gVisor grants within its own kernel, where the engine's filter of calls does not count.
GRANTED_BY_GVISOR = {"unshare user", "mknod char", "mknod block"}
MOUNTED = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")
_CPU_MODEL = re.compile(r"model name\s*: (.+)")


def secrets_of_the_host(aftermath: Aftermath) -> dict[str, str]:
    """What no job may know, by what it is. Short words would be found by chance."""
    known = {
        "kernel": platform.release(),
        "data directory": str(aftermath.data_dir),
        "data of Docker": str(traces.docker_root()),
        "user": getpass.getuser() if getpass.getuser() not in ("root", "agent") else "",
        "machine": _first_line("/etc/machine-id"),
        "command line": Path("/proc/cmdline").read_text().strip(),
        "processor": (_CPU_MODEL.findall(Path("/proc/cpuinfo").read_text()) or [""])[0],
        "name": platform.node() if len(platform.node()) > 5 else "",
        "memory": f"{traces.docker().info()['MemTotal'] // 1024} kB",
        "box": aftermath.box_id,
    }
    servers = re.findall(r"nameserver (\S+)", Path("/etc/resolv.conf").read_text())
    known |= {f"name server {number}": name for number, name in enumerate(servers)}
    return {what: text for what, text in known.items() if text}


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().partition("\n")[0]
    except OSError:
        return ""


@pytest.mark.parametrize("user", USERS)
async def test_row_17_looks_for_the_host(
    aftermath: Aftermath, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    token = secrets.token_hex(16)
    for name in ("ABUSE_SECRET", "EVALBOX_SECRET", "AWS_SECRET_ACCESS_KEY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, token)
    ordeal = await aftermath.run("recon.py", user=user, output=2 * MIB, timeout=8.0)
    assert ordeal.outcome is Outcome.OK, ordeal
    said = ordeal.stdout.decode(errors="replace")
    assert "Starting gVisor" in said
    assert token not in said
    for what, text in secrets_of_the_host(aftermath).items():
        assert text not in said, what
    variables = set(
        re.findall(r"^(\w+)=", said.partition("== env")[2].partition("== uname")[0], re.MULTILINE)
    )
    assert variables <= {"HOSTNAME", "HOME", "OLDPWD", "PATH", "LANG", "PWD", "SHLVL", "_"}


@pytest.mark.parametrize("network", list(Network))
async def test_row_17_writes_to_what_the_engine_mounts(
    aftermath: Aftermath, network: Network
) -> None:
    """The only files of the host that a sandbox sees: of its own, and counted among its disk."""
    script = f"""
        for file in {" ".join(MOUNTED)}; do
            (echo evil >>$file) && echo "wrote $file"
            cat /dev/zero >>$file
            wc -c <$file
        done
        exec sleep 1
    """
    before = [Path(path).read_bytes() for path in MOUNTED]
    ordeal = await aftermath.run(["bash", "-c", script], user="0:0", network=network)
    assert ordeal.outcome is Outcome.DISK_LIMIT, ordeal
    assert [Path(path).read_bytes() for path in MOUNTED] == before
    sizes = [int(line) for line in ordeal.stdout.split(b"\n") if line.isdigit()]
    assert all(size <= LIMITS.disk for size in sizes), ordeal
    if network is Network.INTERNET:
        assert b"wrote /etc/resolv.conf" not in ordeal.stdout


async def test_row_17_secrets_of_the_service(aftermath: Aftermath, tmp_path: Path) -> None:
    """Those in the environment of a service of its own, and those that Docker's client knows."""
    token = secrets.token_hex(16)
    proxy = f"http://user:{token}@proxy.example:3128"
    proxies = {"proxies": {"default": {"httpProxy": proxy, "httpsProxy": proxy}}}
    (tmp_path / "config.json").write_text(json.dumps(proxies))
    for network in ("none", "internet"):
        said = await through_pipes(
            tmp_path / "box", "run", "--network", network, "--output-limit", "2m",
            "--timeout", "8", str(PROGRAMS / "recon.py"),
            DOCKER_CONFIG=str(tmp_path), ABUSE_SECRET=token, HTTPS_PROXY=proxy,
        )  # fmt: skip
        assert said.status == 0, said
        assert b"== /proc/1/environ" in said.out
        assert token.encode() not in said.out
    assert os.environ.get("ABUSE_SECRET") is None


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=USERS)
async def answers(aftermath: Aftermath, request: pytest.FixtureRequest) -> dict[str, str]:
    """What the kernel answered, by call, to one user or the other."""
    ordeal = await aftermath.run("syscalls.py", user=request.param)
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout.endswith(b"alive 1\n"), ordeal
    lines = ordeal.stdout.decode().splitlines()[:-1]
    assert len(lines) > 30
    return dict(line.split(": ", 1) for line in lines)


async def test_row_18_asks_for_more(answers: dict[str, str]) -> None:
    allowed = HARMLESS | GRANTED_BY_GVISOR
    granted = {name for name, answer in answers.items() if answer == "granted"} - allowed
    assert not granted
    assert answers["io_uring_setup"] == "ENOSYS"
    assert answers["mount tmpfs"] == "EPERM"
    assert answers["ptrace of 1"] == "EPERM"


@pytest.mark.xfail(reason="gVisor grants these unless it runs with --oci-seccomp", strict=False)
@pytest.mark.parametrize("name", sorted(GRANTED_BY_GVISOR))
async def test_row_18_refused_altogether(answers: dict[str, str], name: str) -> None:
    assert answers[name] == "EPERM"


@pytest.mark.parametrize("user", USERS)
async def test_row_18_what_is_granted_leads_nowhere(aftermath: Aftermath, user: str) -> None:
    """Devices and name spaces that a job makes are those of its own kernel."""
    ordeal = await aftermath.run("granted.py", user=user)
    assert ordeal.outcome is Outcome.OK, ordeal
    found = json.loads(ordeal.stdout)
    assert set(found["devices"]) <= {"null", "zero", "full", "random", "urandom", "tty", "tun"}
    assert set(found["mounted"]) <= {"tmpfs", "proc", "sysfs", "devtmpfs"}
    assert set(found["interfaces"]) <= {"lo"}
    assert platform.release() not in ordeal.stdout.decode()
