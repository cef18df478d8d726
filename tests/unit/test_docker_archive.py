"""The archives that put files into a sandbox."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.engines.base import SourceFile
from evalbox.engines.docker.archive import Owner, directory_archive, files_archive
from evalbox.engines.docker.script import Staged
from evalbox.errors import EngineError

OWNER = Owner(1000, 1001)


def members(data: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            item.name: (item, archive.extractfile(item).read() if item.isfile() else b"")  # type: ignore[union-attr]
            for item in archive
        }


NAMES = st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=150
).filter(lambda name: name not in (".", ".."))


@given(st.dictionaries(NAMES, st.binary(max_size=2000), max_size=5))
def test_files_arrive_whole(files: dict[str, bytes]) -> None:
    staged = [Staged(f"/w/{name}", content, 0o640) for name, content in files.items()]
    found = members(b"".join(files_archive(staged, OWNER, "/w")))
    assert {name: content for name, (_, content) in found.items()} == {
        f"w/{name}": content for name, content in files.items()
    }
    for info, _ in found.values():
        assert (info.uid, info.gid, info.mode) == (1000, 1001, 0o640)


def test_only_directories_of_the_job_are_its_own() -> None:
    staged = [
        Staged("/w/a/b/f", b"1", 0o644),
        Staged("/opt/x/f", b"2", 0o644),
        Staged("/.evalbox/0", b"3", 0o600),
    ]
    found = members(b"".join(files_archive(staged, OWNER, "/w")))
    directories = {name: info.mode for name, (info, _) in found.items() if info.isdir()}
    assert directories == {"w/a": 0o755, "w/a/b": 0o755, ".evalbox": 0o700}


def test_files_of_the_host_are_read_to_their_recorded_size(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abcdef")

    def archive(size: int) -> bytes:
        item = Staged("/w/f", SourceFile("/w/f", path, size), 0o644)
        return b"".join(files_archive([item], OWNER, "/w"))

    assert members(archive(3))["w/f"][1] == b"abc"
    with pytest.raises(EngineError, match="shorter"):
        archive(7)
    path.unlink()
    with pytest.raises(EngineError, match="cannot be read"):
        archive(3)


def test_a_directory_is_given_to_its_owner() -> None:
    info, _ = members(directory_archive("/home/agent", OWNER))["home/agent"]
    assert info.isdir()
    assert (info.uid, info.gid, info.mode) == (1000, 1001, 0o755)
