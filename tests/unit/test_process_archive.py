from __future__ import annotations

import io
import os
import socket
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from pathlib import Path

import pytest

from evalbox.engines.process import archive, files
from evalbox.engines.process.archive import DEPTH, pack, stream
from evalbox.errors import EngineError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("hunter2")
    home = tmp_path / "root" / "home"
    home.mkdir(parents=True)
    return tmp_path / "root"


def packed(root: Path, *paths: str) -> dict[str, tarfile.TarInfo]:
    buffer = io.BytesIO()
    pack(root, "/home", paths, buffer)
    assert b"hunter2" not in buffer.getvalue()
    buffer.seek(0)
    with tarfile.open(fileobj=buffer) as members:
        return {member.name: member for member in members}


def test_names_are_those_asked_for(root):
    (root / "home" / "a").write_text("x")
    (root / "data").mkdir()
    (root / "data" / "b").write_text("xy")
    found = packed(root, "a", "./a", "/data/b", "/data/../data", "/", "missing")
    assert found["a"].size == 1
    assert found["data/b"].size == 2
    assert "data" in found
    assert "." in found
    assert "home/a" in found


def test_links_anywhere_in_a_path_are_not_followed(root, tmp_path):
    (root / "home" / "dir").symlink_to(tmp_path / "outside")
    (root / "home" / "file").symlink_to(tmp_path / "outside" / "secret")
    (root / "link").symlink_to(tmp_path / "outside")
    found = packed(root, "dir", "dir/secret", "file", "/link/secret", "../../outside/secret")
    assert {name: member.type for name, member in found.items()} == {
        "dir": tarfile.SYMTYPE,
        "file": tarfile.SYMTYPE,
    }


def test_special_files_and_bits_are_left_out(root):
    home = root / "home"
    os.mkfifo(home / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(home / "socket"))
    (home / "file").write_text("x")
    (home / "file").chmod(0o6755)
    (home / "twin").hardlink_to(home / "file")
    found = packed(root, "/home")
    assert set(found) == {"home", "home/file", "home/twin"}
    assert found["home/file"].mode == 0o755
    assert found["home/twin"].isreg()
    assert found["home/file"].uid == 0


def test_names_that_are_no_text(root):
    name = os.fsdecode(b"\xff\n\x1b")
    (root / "home" / name).write_text("x")
    assert packed(root, name)[name].size == 1


def test_depth_has_an_end(root):
    path = root / "home"
    for _ in range(DEPTH + 10):
        path /= "d"
        path.mkdir()
    assert max(name.count("/") for name in packed(root, "d")) == DEPTH - 1


@pytest.fixture
def packer() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def test_streamed_as_fast_as_it_is_read(root, packer):
    (root / "home" / "large").write_bytes(b"x" * 1_000_000)
    whole = b"".join([piece async for piece in stream(packer, root, "/home", ("large",))])
    with tarfile.open(fileobj=io.BytesIO(whole)) as members:
        assert members.getmember("large").size == 1_000_000


async def test_a_reader_that_stops_ends_the_packing(root, packer):
    (root / "home" / "large").write_bytes(b"x" * 1_000_000)
    async with aclosing(stream(packer, root, "/home", ("large",))) as pieces:
        async for _ in pieces:
            break
    assert packer.submit(int).result(timeout=5) == 0


async def test_what_cannot_be_read_is_told(root, packer, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(archive, "pack", fail)
    with pytest.raises(EngineError, match="Input/output error"):
        async for _ in stream(packer, root, "/home", ("x",)):
            pass


def test_paths_stay_beneath_the_root(root):
    assert files.beneath(root, "/../../x") == root / "x"
    assert files.beneath(root, "a/../b", "/home") == root / "home" / "b"
    assert files.beneath(root, "/", "/home") == root


def test_size_follows_no_link(root, tmp_path):
    (tmp_path / "outside" / "large").write_bytes(b"x" * 1_000_000)
    (root / "home" / "link").symlink_to(tmp_path / "outside")
    (root / "home" / "file").write_bytes(b"x" * 100_000)
    assert 100_000 <= files.size(root) < 200_000
    assert files.size(root / "missing") == 0


def test_what_cannot_be_removed_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_run", lambda *_: 1)
    with pytest.raises(EngineError, match="could not be removed"):
        files.remove(tmp_path)
    files.remove(tmp_path / "missing")
