"""Images, and whether the engine says truly what it can do."""

from __future__ import annotations

import io
import tarfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from docker_support import BASE, bench, finished

from evalbox.domain.image import TASK_STANDARD
from evalbox.engines.base import LABEL_BOX, Launch, Profile
from evalbox.engines.docker import DockerEngine, recipe
from evalbox.engines.docker.build import Builder
from evalbox.errors import (
    Conflict,
    EngineError,
    FileMissing,
    ImageBuildError,
    ImageNotFound,
    InvalidInput,
)

pytestmark = pytest.mark.docker


@pytest.fixture
async def engine() -> AsyncIterator[DockerEngine]:
    async with bench("runc") as b:
        yield b.engine


async def test_the_base_image_is_known_by_its_content(engine: DockerEngine) -> None:
    image = await engine.image(BASE)
    assert image.id.startswith("sha256:")
    assert image.digest
    assert BASE in image.names
    assert 50_000_000 < image.size < 500_000_000
    assert image.created_at is not None
    assert await engine.image(image.id) == image
    listed = {one.id: one for one in await engine.images.list()}
    assert listed[image.id].size == image.size


async def test_the_base_image_is_not_built_twice(engine: DockerEngine) -> None:
    said: list[str] = []
    image = await engine.images.build_base(said.append)
    assert image == await engine.image(BASE)
    assert said == []


@pytest.mark.timeout(600)
async def test_the_image_for_families_has_what_they_expect(engine: DockerEngine) -> None:
    image = await engine.provide(TASK_STANDARD, print)
    assert TASK_STANDARD in image.names
    script = (
        "for p in python pip gcc git curl ip iptables ping sshd vim ps unzip; do "
        "command -v $p >/dev/null || /usr/sbin/$p -V 2>/dev/null || echo no $p; done;"
        "python -m venv --without-pip /tmp/v;"
        "pip install --dry-run /nowhere 2>&1 | grep -c managed;"
        "stat -c %a /root; ls /var/lib/apt/lists | grep -c Packages; python -V"
    )
    profile = Profile(image.id, user="0:0", workdir="/")
    sandbox = await engine.create(profile, labels={LABEL_BOX: "standard"})
    try:
        launch = Launch(("/bin/bash", "-c", script), "/")
        await sandbox.launch(launch)
        said = b"".join([chunk.data async for chunk in sandbox.output()]).decode().splitlines()
    finally:
        await sandbox.destroy()
    managed, mode, lists, version = said
    assert (managed, mode) == ("0", "700")
    assert int(lists) > 0
    assert version.startswith("Python 3.11.")


async def test_the_base_image_has_what_tasks_need(engine: DockerEngine) -> None:
    script = (
        "set -e; id -un; pwd; python3 -c 'import json, ssl'; node -e 'process.exit(0)'; ps -e >ps;"
        "getent group protected >g; for p in bash tar gzip find grep sed awk diff; do "
        "command -v $p >p; done; test -s /etc/ssl/certs/ca-certificates.crt; echo $LANG"
    )
    image = await engine.image(BASE)
    sandbox = await engine.create(Profile(image.id), labels={LABEL_BOX: "test-image"})
    try:
        await sandbox.launch(Launch(("/bin/sh", "-c", script)))
        ran = await finished(sandbox)
    finally:
        await sandbox.destroy()
    assert (ran.out, ran.err, ran.exit.code) == (b"agent\n/home/agent\nC.UTF-8\n", b"", 0)


async def test_missing_images(engine: DockerEngine) -> None:
    for work in (
        engine.image("evalbox/nothing:1"),
        engine.images.remove("evalbox/nothing:1"),
        engine.create(Profile("sha256:" + "0" * 64), labels={}),
    ):
        with pytest.raises(ImageNotFound):
            await work
    with pytest.raises(ImageNotFound, match="evalbox/nothing") as caught:
        await engine.image("evalbox/nothing:1")
    assert "images build" in caught.value.hint
    with pytest.raises(EngineError, match="cannot be pulled"):
        await engine.images.pull("registry.invalid/nothing:1", print)


async def test_loading_and_removing(engine: DockerEngine, tmp_path: Path) -> None:
    name = f"evalbox/test-{uuid.uuid4().hex[:8]}:1"
    await imported(engine, name)
    try:
        saved = await engine._client.call(lambda api: b"".join(api.get_image(name)))
        archive = tmp_path / "image.tar"
        archive.write_bytes(saved)
        await engine.images.remove(name)
        with pytest.raises(ImageNotFound):
            await engine.image(name)
        (loaded,) = await engine.images.load(archive)
        assert loaded.names == (name,)
        kept = await engine._client.call(lambda api: api.create_container(name, ["/x"])["Id"])
        with pytest.raises(Conflict, match="in use"):
            await engine.images.remove(name)
        await engine._client.call(lambda api: api.remove_container(kept))
    finally:
        await engine.images.remove(name)
    with pytest.raises(FileMissing):
        await engine.images.load(tmp_path / "missing.tar")
    archive.write_bytes(b"no archive")
    with pytest.raises(InvalidInput, match="holds no image"):
        await engine.images.load(archive)


async def test_an_image_without_a_shell_is_told(engine: DockerEngine) -> None:
    name = f"evalbox/test-{uuid.uuid4().hex[:8]}:1"
    await imported(engine, name)
    try:
        with pytest.raises(InvalidInput, match="no /bin/sh"):
            await engine.create(
                Profile(name, user="0:0", workdir="/"), labels={LABEL_BOX: "test-image"}
            )
        assert await engine.list("test-image") == []
    finally:
        await engine.images.remove(name)


async def test_a_shell_that_is_large_is_no_missing_one(engine: DockerEngine) -> None:
    name = f"evalbox/test-{uuid.uuid4().hex[:8]}:1"
    await imported(engine, name, file="bin/sh", content=b"no program" * 300_000)
    try:
        profile = Profile(name, user="0:0", workdir="/image")
        assert (await engine._identities.of(profile)).give
    finally:
        await engine.images.remove(name)


async def test_a_build_that_fails_says_how_to_go_on(engine: DockerEngine) -> None:
    said: list[str] = []
    builder = Builder(engine._client, said.append, recipe.MIRROR)
    with pytest.raises(ImageBuildError, match="status 3") as caught:
        await builder.bootstrap(["sh", "-c", "echo E: no such mirror >&2; exit 3"])
    assert "no such mirror" in caught.value.message
    assert "images load" in caught.value.hint
    assert said == ["E: no such mirror"]
    with pytest.raises(ImageBuildError, match="cannot be built"):
        await builder.bootstrap(["no-such-tool"])


async def test_the_check_tells_what_works(engine: DockerEngine) -> None:
    checks = {check.name: check for check in await engine.check(BASE)}
    assert {check.level for check in checks.values()} == {"ok"}
    assert "ran a command" in checks["runc, network none"].detail


async def test_the_check_tells_what_does_not() -> None:
    nowhere = DockerEngine("gvisor", docker_host="unix:///nowhere/docker.sock")
    try:
        (check,) = await nowhere.check(BASE)
        assert (check.level, check.name) == ("failure", "docker")
        assert "start it" in check.remedy
    finally:
        await nowhere.close()
    async with bench("gvisor") as b:
        other = DockerEngine("gvisor", runtime="runc", runtime_net="not-registered")
        try:
            found = {check.name: check for check in await other.check(BASE)}
            assert "host's own kernel" in found["gvisor, network none"].detail
            assert found["gvisor, network none"].level == "failure"
            assert "no runtime not-registered" in found["gvisor, network internet"].detail
            assert all("quickstart" in c.remedy for n, c in found.items() if "network" in n)
            missing = {check.name: check for check in await b.engine.check("evalbox/nothing:1")}
            assert missing["gvisor, network none"].level == "failure"
        finally:
            await other.close()


async def imported(
    engine: DockerEngine, name: str, *, file: str = "x", content: bytes = b"x"
) -> None:
    """An image that holds one file."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        info = tarfile.TarInfo(file)
        info.size, info.mode = len(content), 0o755
        archive.addfile(info, io.BytesIO(content))
    repository, tag = name.rsplit(":", 1)
    await engine._client.call(
        lambda api: api.import_image(data.getvalue(), repository=repository, tag=tag)
    )
