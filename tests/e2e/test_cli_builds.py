"""``evalbox images`` about what was built for tasks."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from cli_harness import Cli

from evalbox.config.settings import Settings
from evalbox.domain.building import ImageBuild
from evalbox.errors import ImageBuildError
from evalbox.service.local import LocalBox


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """With an image that was built, and another that was not."""
    made = Cli(tmp_path, engine="fake")

    async def build() -> None:
        box = await LocalBox.open(Settings(data_dir=made.data, engine="fake"), work=True)
        try:
            said: list[str] = []
            fine = ImageBuild((), ("echo", "fine"))
            await box.images.prepare(fine, said.append, base="any")
            bad = ImageBuild((), ("echo", "bad\x1b]0;title\x07", ";", "exit", "1"))
            with pytest.raises(ImageBuildError):
                await box.images.prepare(bad, said.append, base="any")
        finally:
            await box.close(drain=0)

    asyncio.run(build())
    return made


def test_builds_are_listed_and_their_logs_printed(cli: Cli) -> None:
    failed, ready = cli("images", "builds", "--json").json
    assert (failed["state"], ready["state"]) == ("failed", "ready")
    table = cli("images", "builds").text
    assert ready["image"] in table
    assert "status 1: bad^[]0;title^G" in table
    assert "\x1b" not in table
    for name in (ready["key"], ready["key"][:9], ready["image"]):
        ended = cli("images", "log", name, "-f")
        assert ended.code == 0
        assert b"\nfine\n" in ended.out
    assert cli("images", "log", "abcdef").code == 66


def test_what_is_unused_is_pruned_once_that_is_confirmed(cli: Cli) -> None:
    assert cli("images", "prune").said == "removed 0 images\n"
    assert cli("images", "prune", "--unused", "0").code == 65
    with sqlite3.connect(cli.data / "evalbox.db") as database:
        database.execute("UPDATE builds SET used_at = used_at - 8 * 86400")
    assert "nobody is there to confirm" in cli("images", "prune").said
    (due,) = cli("images", "prune", "--dry-run", "--json").json
    assert due["state"] == "ready"
    assert "1 images of" in cli("images", "prune", "--dry-run").said
    (removed,) = cli("images", "prune", "--yes", "--json").json
    assert removed["image"].startswith("evalbox/built:")
    states = [one["state"] for one in cli("images", "builds", "--json").json]
    assert sorted(states) == ["failed", "removed"]
    (entry,) = [one for one in cli("audit", "--json").json if one["target"] == removed["image"]][
        -1:
    ]
    assert entry["action"] == "image.prune"
