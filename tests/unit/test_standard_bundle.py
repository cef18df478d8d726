"""A family's directory as a tar, and the driver as an archive: the same for the same content."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalbox.errors import InvalidInput
from evalbox.tasks.standard import bundle as module
from evalbox.tasks.standard.bundle import scan
from evalbox.tasks.standard.driver import driver_archive

names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 200)
trees = st.dictionaries(
    names, st.binary(max_size=200) | st.dictionaries(names, st.binary()), max_size=6
)


def lay(root: Path, tree: Mapping[str, bytes | Mapping[str, bytes]], *, time: int) -> None:
    for name, content in tree.items():
        path = root / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.mkdir()
            lay(path, content, time=time)
        os.utime(path, (time, time))


def bundled(root: Path, target: Path) -> bytes:
    scan(root).write(target)
    return target.read_bytes()


@settings(max_examples=60, deadline=None)
@given(tree=trees)
def test_the_same_content_makes_the_same_bytes(
    tree: dict[str, bytes | dict[str, bytes]],
) -> None:
    left = tree.keys() & module.LEFT_OUT | tree.keys() & {".evalbox"}
    tree = {name: content for name, content in tree.items() if name not in left}
    with tempfile.TemporaryDirectory() as place:
        one, two = Path(place, "one"), Path(place, "two")
        one.mkdir()
        two.mkdir()
        lay(one, tree, time=1)
        lay(two, dict(reversed(tree.items())), time=1_700_000_000)
        data = bundled(one, Path(place, "1.tar"))
        assert data == bundled(two, Path(place, "2.tar"))
        with tarfile.open(Path(place, "1.tar")) as archive:
            archive.extractall(Path(place, "out"), filter="fully_trusted")
        for name, content in tree.items():
            if isinstance(content, bytes):
                assert Path(place, "out", name).read_bytes() == content


def test_owners_times_and_odd_modes_make_no_difference(tmp_path: Path) -> None:
    root = tmp_path / "family"
    root.mkdir()
    (root / "run.sh").write_text("true")
    (root / "run.sh").chmod(0o744)
    first = bundled(root, tmp_path / "1.tar")
    (root / "run.sh").chmod(0o777)
    assert bundled(root, tmp_path / "2.tar") == first
    (root / "run.sh").chmod(0o644)
    assert bundled(root, tmp_path / "3.tar") != first


def test_what_tools_leave_behind_is_left_out(tmp_path: Path) -> None:
    for name in (".git", "__pycache__", "assets"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("")
    assert [one.name for one in scan(tmp_path).entries] == ["assets", "assets/x"]


def test_links_are_kept_within_and_refused_beyond(tmp_path: Path) -> None:
    root = tmp_path / "family"
    (root / "a").mkdir(parents=True)
    (root / "a" / "up").symlink_to("../data")
    (root / "data").symlink_to("nothing-yet")
    with tarfile.open(_tar(root, tmp_path)) as archive:
        assert archive.getmember("a/up").linkname == "../data"
    for target in ("/etc/passwd", "../secret", "..", "a/../../secret"):
        link = root / "out"
        link.symlink_to(target)
        with pytest.raises(InvalidInput, match="outside of the family"):
            scan(root)
        link.unlink()


def test_a_directory_that_is_a_link_is_not_entered(tmp_path: Path) -> None:
    root = tmp_path / "family"
    (root / "real").mkdir(parents=True)
    (root / "real" / "x").write_text("")
    (root / "again").symlink_to("real")
    (root / "loop").symlink_to(".")
    assert [one.name for one in scan(root).entries] == ["again", "loop", "real", "real/x"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="not a regular file"):
        scan(tmp_path)


def test_names_with_line_feeds_and_bytes_that_are_no_text(tmp_path: Path) -> None:
    root = tmp_path / "family"
    root.mkdir()
    odd = {b"a\nb", b"\xff\xfe", b"\x1b[31mred", b"-rf", "ü".encode()}
    for name in odd:
        (root / os.fsdecode(name)).write_text("x")
    with tarfile.open(_tar(root, tmp_path)) as archive:
        assert set(map(os.fsencode, archive.getnames())) == odd


def test_ten_thousand_files(tmp_path: Path) -> None:
    root = tmp_path / "family"
    for number in range(100):
        (root / f"{number:03}").mkdir(parents=True)
        for other in range(100):
            (root / f"{number:03}" / f"{other:03}").write_bytes(b"")
    assert len(scan(root).entries) == 10_100
    with tarfile.open(_tar(root, tmp_path)) as archive:
        assert len(archive.getnames()) == 10_100


def test_too_much_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.truncate(module.MAX_TOTAL + 1)
    with pytest.raises(InvalidInput, match=r"large: with it, the family is over 1\.0 GiB"):
        scan(tmp_path)
    (tmp_path / "large").unlink()
    monkeypatch.setattr(module, "MAX_ENTRIES", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    with pytest.raises(InvalidInput, match="more than 2 files"):
        scan(tmp_path)


def test_a_directory_that_changes_meanwhile_is_told(tmp_path: Path) -> None:
    root = tmp_path / "family"
    root.mkdir()
    file = root / "x"
    file.write_text("one")
    found = scan(root)
    file.write_text("other")
    with pytest.raises(InvalidInput, match="has changed"):
        found.write(tmp_path / "x.tar")
    file.unlink()
    with pytest.raises(InvalidInput, match="has changed"):
        found.write(tmp_path / "x.tar")
    file.symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="cannot be read"):
        found.write(tmp_path / "x.tar")


def test_evalboxs_own_name_is_not_for_families(tmp_path: Path) -> None:
    (tmp_path / ".evalbox").mkdir()
    with pytest.raises(InvalidInput, match="evalbox's own"):
        scan(tmp_path)


def test_the_driver_is_the_same_each_time_and_starts(tmp_path: Path) -> None:
    data = driver_archive()
    driver_archive.cache_clear()
    assert driver_archive() == data
    path = tmp_path / "driver.pyz"
    path.write_bytes(data)
    assert "evalbox_inside/client.py" in zipfile.ZipFile(path).namelist()
    done = subprocess.run([sys.executable, "-I", path], capture_output=True, text=True, check=False)
    assert (done.returncode, "run PLAN" in done.stderr) == (2, True)


def _tar(root: Path, place: Path) -> Path:
    scan(root).write(place / "family.tar")
    return place / "family.tar"
