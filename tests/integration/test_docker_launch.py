"""From a warm sandbox to a command's end: files, output, artifacts, users, networks."""

from __future__ import annotations

import asyncio
import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
from docker_support import bench, both, finished, source

from evalbox.domain.evaluation import Network
from evalbox.domain.limits import MIB
from evalbox.engines.base import Launch
from evalbox.errors import InvalidInput

BYTES = bytes(range(256)) * 8


@both
@pytest.mark.parametrize("size", [len(BYTES), 300_000])
async def test_files_and_input_arrive_whole(kind: str, size: int, tmp_path: Path) -> None:
    data = (BYTES * (size // len(BYTES) + 1))[:size]
    files = (
        source(tmp_path, "/home/agent/deep/er/data", data, 0o640),
        source(tmp_path, "/tmp/x/data", data),
        source(tmp_path, "/home/agent/it's", b"", 0o755),
    )
    script = (
        "sha256sum deep/er/data /tmp/x/data - | cut -c1-64; "
        "stat -c '%a %u %g' deep/er/data \"it's\" deep; ls /tmp"
    )
    launch = Launch(("/bin/sh", "-c", script), files=files, stdin=source(tmp_path, "", data))
    async with bench(kind) as b:
        ran = await b.run(launch)
    digest = hashlib.sha256(data).hexdigest()
    lines = ran.out.decode().split("\n")
    assert lines[:3] == [digest] * 3
    assert lines[3:6] == ["640 1000 1000", "755 1000 1000", "755 1000 1000"]
    assert lines[6:] == ["x", ""]
    assert (ran.err, ran.exit.code) == (b"", 0)


@both
async def test_files_of_root_go_where_the_user_may_not_write(kind: str, tmp_path: Path) -> None:
    launch = Launch(
        ("cat", "/opt/new/tool"), files=(source(tmp_path, "/opt/new/tool", b"hello", 0o755),)
    )
    async with bench(kind) as b:
        ran = await b.run(launch)
    assert (ran.out, ran.exit.code) == (b"hello", 0)


@both
async def test_output_is_bytes_and_streams_apart(kind: str) -> None:
    script = (
        "import sys; sys.stdout.buffer.write(bytes(range(256))*300);"
        r"sys.stderr.buffer.write(b'\xff\x00no newline')"
    )
    async with bench(kind) as b:
        ran = await b.run(Launch(("python3", "-c", script)))
    assert ran.out == bytes(range(256)) * 300
    assert ran.err == b"\xff\x00no newline"


@both
async def test_a_slow_reader_holds_a_fast_writer_up(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(
            Launch(
                ("python3", "-c", "import sys\nfor _ in range(40): sys.stdout.write('x' * (1<<20))")
            )
        )
        output = sandbox.output()
        got = len((await anext(output)).data)
        await asyncio.sleep(0.5)
        largest = 0
        async for chunk in output:
            largest = max(largest, len(chunk.data))
            got += len(chunk.data)
        assert got == 40 * MIB
        assert largest <= 64 * 1024
        await sandbox.destroy()


@both
async def test_artifacts_come_out_and_the_status_stays(kind: str, tmp_path: Path) -> None:
    script = (
        "mkdir out; echo 1 >out/a; ln -s /etc/passwd out/link; mkfifo out/fifo; echo hi; "
        "echo 2 >/tmp/b; exit 3"
    )
    launch = Launch(
        ("/bin/sh", "-c", script), artifacts=("out", "missing", "/tmp/b", "-odd"), workdir="/tmp/w"
    )
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(launch)
        kept = asyncio.create_task(collect(sandbox))
        ran = await finished(sandbox)
        with tarfile.open(fileobj=io.BytesIO(await kept)) as archive:
            found = {item.name: item for item in archive}
        await sandbox.destroy()
    assert set(found) == {"out", "out/a", "out/link", "out/fifo", "tmp/b"}
    assert found["out/link"].issym()
    assert (ran.out, ran.err, ran.exit.code) == (b"hi\n", b"", 3)


@both
async def test_artifacts_of_nothing_are_an_empty_archive(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(Launch(("true",), artifacts=("missing",)))
        assert names(await collect(sandbox)) == []
        assert (await finished(sandbox)).exit.code == 0
        await sandbox.destroy()


@both
async def test_a_job_that_kills_the_reader_only_costs_time(kind: str) -> None:
    script = "echo 1 >a; kill -9 -1; true"
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(Launch(("/bin/sh", "-c", script), artifacts=("a",)))
        async with asyncio.timeout(20):
            kept, ran = await asyncio.gather(collect(sandbox), finished(sandbox))
        await sandbox.destroy()
    # On the host's kernel the shell that waits for the command is killed too.
    assert ran.exit.code == (137 if kind == "runc" else 0)
    assert ran.out == b""
    assert kept == b"" or names(kept) == ["a"]


@both
async def test_artifacts_that_nobody_wants_are_no_obstacle(kind: str) -> None:
    async with bench(kind) as b:
        sandbox = await b.create()
        await sandbox.launch(
            Launch(("/bin/sh", "-c", "head -c 8000000 /dev/zero >big"), artifacts=("big",))
        )
        stream = sandbox.artifacts()
        assert await anext(stream)
        await stream.aclose()
        await sandbox.destroy()


@both
async def test_users_and_homes(kind: str) -> None:
    script = 'echo "$(id -u):$(id -g) $HOME $(pwd) $(stat -c %u .)"; touch here'
    async with bench(kind) as b:
        for user, workdir, wanted in (
            ("1000:1000", "/home/agent", "1000:1000 /home/agent /home/agent 1000"),
            ("agent", "/home/agent", "1000:1000 /home/agent /home/agent 1000"),
            ("agent:protected", "/home/agent", None),
            ("root", "/root", "0:0 /root /root 0"),
            ("4242:4343", "/work/new", "4242:4343 /work/new /work/new 4242"),
            ("1000", "/opt", "1000:1000 /opt /opt 1000"),
        ):
            launch = Launch(("/bin/sh", "-c", script), workdir)
            ran = await b.run(launch, user=user, workdir=workdir)
            assert ran.exit.code == 0, ran.err
            assert wanted is None or ran.out.decode().strip() == wanted
        with pytest.raises(InvalidInput, match="nobody-there"):
            await b.create(user="nobody-there")


@both
async def test_nothing_but_itself_is_reached_without_a_network(kind: str) -> None:
    code = (
        "import socket\n"
        "for address in [('8.8.8.8', 53), ('169.254.169.254', 80), ('172.17.0.1', 80)]:\n"
        "    try: socket.create_connection(address, 2); print('reached')\n"
        "    except OSError as e: print(type(e).__name__)\n"
        "try: socket.gethostbyname('deb.debian.org'); print('reached')\n"
        "except OSError: pass\n"
    )
    async with bench(kind) as b:
        async with asyncio.timeout(30):
            ran = await b.run(Launch(("python3", "-c", code)))
    assert ran.exit.code == 0
    assert b"reached" not in ran.out


@both
async def test_the_world_is_reached_with_a_network(kind: str) -> None:
    try:
        await asyncio.get_running_loop().getaddrinfo("deb.debian.org", 80)
    except OSError:
        pytest.skip("this host resolves no names")
    code = (
        "import urllib.request as u;"
        "print(u.urlopen('http://deb.debian.org/debian/dists/stable/Release', timeout=20).status)"
    )
    async with bench(kind) as b:
        ran = await b.run(Launch(("python3", "-c", code)), network=Network.INTERNET)
    assert ran.out == b"200\n", ran.err


@both
async def test_it_sees_no_capability_and_may_not_gain_any(kind: str) -> None:
    script = "grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status; id -u; hostname"
    async with bench(kind) as b:
        ran = await b.shell(script, user="0:0", workdir="/")
    lines = dict(line.split(":\t") for line in ran.out.decode().splitlines() if ":\t" in line)
    assert int(lines["CapEff"], 16) == int(lines["CapBnd"], 16) == 0
    assert ran.out.decode().splitlines()[-2:] == ["0", "sandbox"]


@both
async def test_environment_is_what_was_given(kind: str) -> None:
    env = {"A": "it's\n$HOME `x`", "odd.name": "1", "PATH": "/bin:/usr/bin", "HOME": "/h"}
    async with bench(kind) as b:
        ran = await b.run(Launch(("env", "-0"), env=env))
    seen = dict(item.split("=", 1) for item in ran.out.decode().split("\0") if item)
    assert {name: seen[name] for name in env} == env
    assert set(seen) - set(env) <= {"LANG", "PWD", "HOSTNAME", "OLDPWD", "SHLVL", "_"}


async def collect(sandbox: Any) -> bytes:
    return b"".join([data async for data in sandbox.artifacts()])


def names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return opened.getnames()
