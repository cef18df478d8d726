"""What every build of a box is given by who runs it, and what its log does not tell."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from docker_support import BASE, bench
from recovery_support import opened, settings_in, until

from evalbox.config.settings import Settings, load
from evalbox.domain.building import BuildState, ImageBuild
from evalbox.engines.base import Exit, Launch, Stream
from evalbox.engines.fake import FakeEngine, interpret
from evalbox.engines.fake.language import End, Print, Step
from evalbox.errors import ConfigError, EngineError, ImageBuildError
from evalbox.service.local import LocalBox

TOKEN = "hush-hush-hush"


async def log_of(box: LocalBox, key: str, *, follow: bool = False) -> bytes:
    return b"".join([data async for data in box.images.build_log(key, follow=follow)])


async def test_the_boxs_variables_are_every_builds_and_no_part_of_its_key(tmp_path: Path) -> None:
    seen: list[dict[str, str]] = []

    def programs(launch: Launch) -> list[Step]:
        seen.append(dict(launch.env))
        return list(interpret(launch))

    engine = FakeEngine(programs=programs)
    keys = set()
    for number, given in enumerate(({}, {"INDEX": "here", "OWN": "box"})):
        settings = settings_in(tmp_path / f"box-{number}", build_env=given)
        async with opened(settings, engine, work=bool(number)) as box:
            built = await box.images.prepare(
                ImageBuild((), ("true",)), lambda _: None, base="any", env={"OWN": "asked"}
            )
            await box.images.remove(built.image)
            keys.add(built.key)
    await engine.close()
    assert seen == [{"OWN": "asked"}, {"INDEX": "here", "OWN": "asked"}]
    assert len(keys) == 1


async def test_secrets_are_not_in_what_is_told(tmp_path: Path) -> None:
    def programs(launch: Launch) -> list[Step]:
        pieces = (TOKEN[:5], f"{TOKEN[5:]} pass-word\n", f"it failed with {TOKEN}\n")
        steps: list[Step] = [Print(Stream.STDOUT, piece.encode()) for piece in pieces]
        return [*steps, End(Exit(1))]

    engine = FakeEngine(programs=programs)
    settings = settings_in(tmp_path / "box", build_env={"INDEX": "https://me:pass-word@host/"})
    said: list[str] = []
    wanted = ImageBuild((), ("install",))
    async with opened(settings, engine) as box:
        asked = asyncio.create_task(
            box.images.prepare(wanted, said.append, base="any", env={"TOKEN": TOKEN})
        )

        async def begun() -> bool:
            return bool(await box.images.builds())

        await until(begun)
        (record,) = await box.images.builds()
        followed = await log_of(box, record.key, follow=True)
        with pytest.raises(ImageBuildError) as failed:
            await asked
        (record,) = await box.images.builds()
        kept = await log_of(box, record.key)
    await engine.close()
    assert record.state is BuildState.FAILED
    for told in (failed.value.message, "\n".join(said), followed.decode(), record.reason):
        assert "it failed with ***" in told
    for told in (failed.value.message, "\n".join(said), followed.decode(), record.reason):
        assert not any(secret in told for secret in (TOKEN, TOKEN[:5], "pass-word"))
    assert kept == followed


async def test_authorities_that_cannot_be_read_are_no_fault_of_the_build(tmp_path: Path) -> None:
    engine = FakeEngine()
    settings = settings_in(tmp_path / "box", build_ca=str(tmp_path / "none.pem"))
    async with opened(settings, engine) as box:
        with pytest.raises(EngineError, match=r"build_ca: .*none\.pem: no such file") as refused:
            await box.images.prepare(ImageBuild((), ("true",)), lambda _: None, base="any")
        assert not isinstance(refused.value, ImageBuildError)
        assert not engine.host.sandboxes
    await engine.close()


@pytest.mark.gvisor
async def test_authorities_are_lent_and_do_not_stay(tmp_path: Path) -> None:
    async with bench("gvisor"):
        pass
    authorities = tmp_path / "ca.pem"
    authorities.write_text("these are trusted\n")
    settings = settings_in(tmp_path / "box", engine="gvisor", build_ca=str(authorities))
    said: list[str] = []
    script = (
        'cat "$PIP_CERT"; cat "$APT_CONFIG"; apt-config dump | grep -i CaInfo;'
        ' [ "$SSL_CERT_FILE$CURL_CA_BUNDLE" = "$PIP_CERT$REQUESTS_CA_BUNDLE" ] && echo all'
    )
    async with await LocalBox.open(settings, work=True) as box:
        try:
            wanted = ImageBuild((), ("/bin/sh", "-c", script))
            built = await box.images.prepare(wanted, said.append, base=BASE)
            again = ImageBuild((), ("/bin/sh", "-c", "ls -a /run; env"))
            await box.images.prepare(again, said.append, base=built.image)
        finally:
            await box.images.prune(0.0)
    told = "\n".join(said)
    assert "these are trusted" in told
    assert 'Acquire::https::CaInfo "/run/evalbox-build/ca.pem";' in told
    assert "all" in said
    assert told.count("evalbox-build\n") == 1, "it is there for the second build alone"


def test_variables_are_a_table_or_words(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('build_ca = "ca.pem"\n[build_env]\nPIP_INDEX_URL = "http://a/b"\nRETRIES = 3\n')
    found = load(environ={"EVALBOX_CONFIG": str(file)})
    assert found.build_env == {"PIP_INDEX_URL": "http://a/b", "RETRIES": "3"}
    assert Path(found.build_ca) == Path("ca.pem").absolute()
    assert "http://a/b" not in repr(found)
    words = load(environ={"EVALBOX_BUILD_ENV": "A='1 2' B=x=y"})
    assert words.build_env == {"A": "1 2", "B": "x=y"}
    assert Settings().build_env == {}


@pytest.mark.parametrize(
    "given", ["hush-hush-hush", "A=1 hush-hush", "1A=2", {"A": ["b"]}, {"A": True}, 5, "A='"]
)
def test_what_are_no_variables(given: object) -> None:
    with pytest.raises(ConfigError, match="build_env: ") as refused:
        load(environ={}, overrides={"build_env": given})
    assert "hush" not in str(refused.value)
