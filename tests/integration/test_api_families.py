"""Families that come by HTTP: what is refused, and what is left behind."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from api_support import Served, served

from evalbox.domain.access import Scope
from evalbox.store.files import SCRATCH

FAMILY = b"""
class TaskFamily:
    required_environment_variables = ["HOME", "OTHER"]
"""
NOWHERE = "0" * 64


def archive(**files: bytes) -> str:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as made:
        for name, content in files.items():
            info = tarfile.TarInfo(name.replace("__", "/") + ".py")
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return base64.b64encode(raw.getvalue()).decode()


SUMS = {"base64": archive(sums__sums=FAMILY)}
HUMAN = {"human": True}
ASKED: dict[str, Any] = {"archive": SUMS, "agent": HUMAN}


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(tmp_path / "box") as found:
        yield found


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"archive": {"base64": "AAAA"}}, 422, "is no tar archive"),
        ({"archive": {"base64": "no base64"}}, 422, "is not base64"),
        ({"archive": {}}, 422, "give one of blob"),
        ({"archive": {"blob": NOWHERE}}, 404, "no blob"),
        ({"archive": {"base64": archive(other=FAMILY)}}, 422, "TaskFamily"),
        ({"archive": {"base64": archive(sums__sums=b"x = 1")}}, 422, "no sums.py with a class"),
        ({"family": "other"}, 422, "no other.py with a class"),
        ({"family": "../../etc"}, 422, "no name of a directory"),
        ({"family": ".."}, 422, "no name of a directory"),
        ({"family": "\x1b[31m"}, 422, "with a class TaskFamily"),
        ({"agent": {}}, 422, "give one of submission"),
        ({"agent": {"human": True, "command": "true"}}, 422, "give one of submission"),
        ({"agent": {"command": "  "}}, 422, "no command"),
        ({"agent": {"replay": [{"submit": "1"}, {"score": True}]}}, 422, "the last step"),
        ({"agent": {"replay": [{"run": "x", "submit": "1"}]}}, 422, "one of: run"),
        ({"agent": {"replay": []}}, 422, "replay"),
        ({"agent": {"directory": SUMS}}, 422, "no program for an agent"),
        ({"agent": {"submission": {"blob": NOWHERE}}}, 404, "no blob"),
        ({"deadlines": {"lunch": 5}}, 422, "lunch"),
        ({"deadlines": {"start": 0}}, 422, "start"),
        ({"deadlines": {"start": 1e300}}, 422, "start"),
        ({"secrets": {"A B": "x"}}, 422, "A B"),
        ({"secrets": {"A": "x"}, "env": {"A": "y"}}, 422, "another in the file"),
        ({"repeat": 0}, 422, "repeat"),
        ({"limits": {"memory": 0}}, 422, "memory"),
        ({"engine": "process"}, 422, "needs a container"),
        ({"artifacts": ["../../x"]}, 422, "artifact"),
        ({"path": "/etc"}, 422, "path"),
    ],
)
async def test_what_is_wrong_is_told_before_anything_begins(
    box: Served, changes: dict[str, Any], status: int, detail: str
) -> None:
    async with box.owner() as client:
        answer = await client.post("/families/evaluations", json=ASKED | changes)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json()["detail"]
    await _nothing_left(box)


async def test_what_only_the_build_tells_is_the_last_event(box: Served) -> None:
    """The fake engine knows no Python, and fails it as a program would."""
    async with box.owner() as client:
        answer = await client.post("/families/evaluations", json=ASKED)
    assert answer.status_code == 200
    assert "event: problem" in answer.text
    assert "event: queued" not in answer.text
    await _nothing_left(box)


async def test_a_key_that_only_reads_queues_nothing_and_fetches_no_blob(box: Served) -> None:
    blob, _ = await box.box.upload(b"content")
    async with box.client(await box.key(Scope.READ)) as client:
        asked = await client.post("/families/evaluations", json=ASKED)
        fetched = await client.get(f"/blobs/{blob}")
    assert (asked.status_code, fetched.status_code) == (403, 403)


async def test_a_blob_comes_back_as_it_went(box: Served) -> None:
    content = b"\0\xff" * 600_000
    blob, _ = await box.box.upload(content)
    async with box.owner() as client:
        answer = await client.get(f"/blobs/{blob}")
        missing = await client.get(f"/blobs/{NOWHERE}")
        wrong = await client.get("/blobs/..%2f..%2fevalbox.db")
    assert answer.content == content
    assert answer.headers["content-disposition"] == "attachment"
    assert missing.status_code == 404
    assert wrong.status_code in (404, 422)


async def _nothing_left(box: Served) -> None:
    assert not list(box.settings.data_dir.glob(f"{SCRATCH}*"))
    async with box.owner() as client:
        assert (await client.get("/evaluations")).json()["items"] == []
