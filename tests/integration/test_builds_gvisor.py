"""Images that are built in real sandboxes."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker_support import BASE, bench, both
from recovery_support import ended, output, settings_in, until

from evalbox.domain.building import BuildState, ImageBuild
from evalbox.domain.evaluation import EvaluationSpec, InputFile, Network
from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter
from evalbox.engines.docker import DockerEngine
from evalbox.errors import EngineError, ImageNotFound
from evalbox.service.box import Box
from evalbox.service.local import LocalBox

#: Tells the address that the world would be reached from, without reaching it.
REACH = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
    try:
        probe.connect(("192.0.2.1", 9))
        print("network")
    except OSError:
        print("no network")
"""


@asynccontextmanager
async def opened(directory: Path, kind: str, **options: Any) -> AsyncIterator[LocalBox]:
    async with bench(kind):
        pass  # skips where there is none
    settings = settings_in(directory / "box", engine=kind)
    box = await LocalBox.open(settings, work=True, **options)
    try:
        yield box
    finally:
        await box.images.prune(0.0)
        await box.close(drain=0)


async def program(box: Box, text: str, **options: Any) -> ImageBuild:
    blob, size = await box.upload(text.encode())
    file = InputFile("/root/build.sh", blob, size, 0o600)
    return ImageBuild((file,), ("/bin/sh", "/root/build.sh"), **options)


def spec(build: ImageBuild, script: str, **changes: Any) -> EvaluationSpec:
    return EvaluationSpec(
        "built", ("/bin/sh", "-c", script), BASE, engine="", build=build, **changes
    )


async def of(box: LocalBox, kind: str, wanted: EvaluationSpec) -> tuple[Outcome | None, str]:
    (made,) = await box.submit([wanted])
    found = await ended(box, made.id, within=60)
    return found.outcome, (await output(box, made.id)).decode()


def containers(box_id: str) -> list[str]:
    api = docker.from_env()
    try:
        listed = api.api.containers(all=True, filters={"label": box_id})
        return [name for one in listed for name in one["Names"]]
    finally:
        api.close()


@both
@pytest.mark.timeout(170)
async def test_the_network_is_the_builds_alone(kind: str, tmp_path: Path) -> None:
    async with opened(tmp_path, kind, warm=2) as box:
        build = await program(box, f"python3 -c '{REACH.replace(chr(39), chr(34))}' >/opt/said")
        script = f"cat /opt/said; python3 -c '{REACH}'; id -u"
        assert await of(box, kind, spec(build, script)) == (
            Outcome.OK,
            "network\nno network\n1000\n",
        )
        told = spec(build, "id -u; touch /root/x && echo wrote; chown 5 /opt; echo $?",
                    user="0:0", capabilities=("CHOWN",), network=Network.INTERNET)  # fmt: skip
        outcome, said = await of(box, kind, told)
        assert (outcome, said) == (Outcome.OK, "0\nwrote\n0\n")
        (record,) = await box.images.builds()
        assert record.state is BuildState.READY


@both
async def test_twenty_at_once_build_it_once(kind: str, tmp_path: Path) -> None:
    async with opened(tmp_path, kind) as box:
        build = await program(box, "date +%s%N >/opt/when; echo building; sleep 0.5")
        made = await box.submit([spec(build, "cat /opt/when") for _ in range(20)])
        for one in made:
            assert (await ended(box, one.id, within=100)).outcome is Outcome.OK
        assert len({await output(box, one.id) for one in made}) == 1
        (record,) = await box.images.builds()
        log = b"".join([data async for data in box.images.build_log(record.key)])
        assert log.count(b"\nbuilding\n") == 1


@both
async def test_builds_that_fail_leave_nothing(kind: str, tmp_path: Path) -> None:
    async with opened(tmp_path, kind) as box:
        label = f"evalbox.box={box._store.box_id}"
        said: list[str] = []
        for script, reason, seconds in (
            ("echo why; exit 7", "status 7: why", 60.0),
            ("sleep 100", "it took longer than", 1.0),
            ("echo daemon; (setsid sleep 100 &) ; exit 1", "status 1: daemon", 60.0),
            ("kill -9 -1; kill -9 $$", "image could not be built|the sandbox ended", 60.0),
        ):
            wanted = await program(box, script, timeout=seconds)
            with pytest.raises(EngineError, match=reason):
                await box.images.prepare(wanted, said.append, base=BASE, engine=kind)
        assert "why" in said
        assert containers(label) == []
        assert {one.state for one in await box.images.builds()} == {BuildState.FAILED}
        for one in await box.images.builds():
            with pytest.raises(ImageNotFound):
                await box.images.get(one.image)


async def begin(directory: Path) -> None:
    """What is run by the process that is killed."""
    settings = settings_in(directory / "box", engine="gvisor")
    box = await LocalBox.open(settings, work=True)
    build = await program(box, "echo begun; sleep 2; echo done >/opt/x")
    await box.submit([spec(build, "cat /opt/x")])
    await asyncio.Event().wait()


@pytest.mark.gvisor
@pytest.mark.timeout(120)
async def test_killed_in_the_middle(tmp_path: Path) -> None:
    async with bench("gvisor"):
        pass  # skips where there is none
    service = subprocess.Popen([sys.executable, __file__, tmp_path])
    logs = tmp_path / "box" / "builds"

    async def begun() -> bool:
        return any(b"begun" in log.read_bytes() for log in logs.glob("*.log"))

    try:
        await until(begun, within=30)
    finally:
        service.send_signal(signal.SIGKILL)
        await asyncio.to_thread(service.wait)
    async with opened(tmp_path, "gvisor") as box:
        label = f"evalbox.box={box._store.box_id}"
        (made,) = await box.list(EvaluationFilter())
        assert (await ended(box, made.id, within=60)).outcome is Outcome.OK
        assert await output(box, made.id) == b"done\n"
        (record,) = await box.images.builds()
        assert record.state is BuildState.READY

        async def gone() -> bool:
            return containers(label) == []

        await until(gone)
    assert [path.suffix for path in list(logs.iterdir())] == [".log"]
    engine = DockerEngine("gvisor")
    with pytest.raises(ImageNotFound):
        await engine.image(record.image)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(begin(Path(sys.argv[1])))
