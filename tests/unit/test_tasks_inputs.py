"""Files and directories that are sent along."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.domain.paths import HOME
from evalbox.errors import FileMissing, InvalidInput
from evalbox.tasks import inputs
from evalbox.tasks.inputs import collect, destination


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "sub").mkdir(parents=True)
    (root / "a.txt").write_text("a")
    (root / "sub" / "b.sh").write_text("b")
    (root / "sub" / "b.sh").chmod(0o750)
    return root


def paths(*references: str) -> list[str]:
    return [file.path for file in collect(references)]


def test_a_file_goes_to_the_home_directory(tree: Path) -> None:
    assert paths(f"{tree}/a.txt") == [f"{HOME}/a.txt"]


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("in.txt", f"{HOME}/in.txt"),
        ("deep/in.txt", f"{HOME}/deep/in.txt"),
        ("deep/", f"{HOME}/deep/a.txt"),
        ("/opt/x/in.txt", "/opt/x/in.txt"),
        ("/opt/", "/opt/a.txt"),
    ],
)
def test_a_destination_is_beneath_home_or_absolute(tree: Path, target: str, path: str) -> None:
    assert paths(f"{tree}/a.txt:{target}") == [path]


def test_a_directory_goes_in_whole(tree: Path) -> None:
    assert paths(str(tree)) == [f"{HOME}/data/a.txt", f"{HOME}/data/sub/b.sh"]
    assert paths(f"{tree}:/in") == ["/in/a.txt", "/in/sub/b.sh"]


def test_only_the_executable_bit_is_kept(tree: Path) -> None:
    assert [file.mode for file in collect([str(tree)])] == [0o644, 0o755]


def test_the_working_directory_goes_in_under_its_name(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    assert paths(".")[0] == f"{HOME}/data/a.txt"


def test_a_file_name_may_hold_a_colon(tmp_path: Path) -> None:
    (tmp_path / "a:b").write_text("")
    assert paths(f"{tmp_path}/a:b") == [f"{HOME}/a:b"]
    assert paths(f"{tmp_path}/a:b:c") == [f"{HOME}/c"]


def test_links_inside_a_directory_are_followed(tree: Path) -> None:
    (tree / "link").symlink_to("a.txt")
    (tree / "sublink").symlink_to("sub")
    assert f"{HOME}/data/link" in paths(str(tree))
    assert f"{HOME}/data/sublink/b.sh" in paths(str(tree))


@pytest.mark.parametrize("target", ["/etc/passwd", "../secret", "sub/../../secret"])
def test_links_that_lead_out_are_refused(tree: Path, target: str) -> None:
    (tree.parent / "secret").write_text("s")
    (tree / "link").symlink_to(target)
    with pytest.raises(InvalidInput, match="outside"):
        paths(str(tree))


def test_a_link_to_a_directory_outside_is_refused(tree: Path) -> None:
    (tree / "link").symlink_to("/etc")
    with pytest.raises(InvalidInput, match="outside"):
        paths(str(tree))


def test_a_link_that_was_named_is_followed(tree: Path) -> None:
    link = tree.parent / "named"
    link.symlink_to(tree / "a.txt")
    assert paths(str(link)) == [f"{HOME}/named"]


def test_a_dangling_link_and_a_loop_are_refused(tree: Path) -> None:
    (tree / "link").symlink_to("nothing")
    with pytest.raises(InvalidInput, match="link to nothing"):
        paths(str(tree))
    (tree / "link").unlink()
    (tree / "sub" / "up").symlink_to("..")
    with pytest.raises(InvalidInput, match="directory that it is in"):
        paths(str(tree))


def test_special_files_are_refused(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    with pytest.raises(InvalidInput, match="not a regular file"):
        paths(str(tree))
    (tree / "pipe").unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tree / "s"))
        with pytest.raises(InvalidInput, match="not a regular file"):
            paths(str(tree))
    with pytest.raises(InvalidInput, match="not a regular file"):
        paths("/dev/null")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(FileMissing, match="/no/such"):
        paths("/no/such")


@pytest.mark.parametrize("reference", [":x", "a.txt:"])
def test_half_a_pair_is_refused(
    tree: Path, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.chdir(tree)
    with pytest.raises(InvalidInput, match="SRC:DEST"):
        paths(reference)


def test_two_files_for_one_path_are_refused(tree: Path) -> None:
    with pytest.raises(InvalidInput, match="two files"):
        paths(f"{tree}/a.txt", f"{tree}/sub/b.sh:a.txt")


def test_too_much_is_refused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tree / "big").open("wb") as file:
        file.truncate(inputs.MAX_TOTAL)
    with pytest.raises(InvalidInput, match=r"over 1.0 GiB"):
        paths(str(tree))
    (tree / "big").unlink()
    monkeypatch.setattr(inputs, "MAX_FILES", 1)
    with pytest.raises(InvalidInput, match="more than 1 files"):
        paths(str(tree))


@pytest.mark.parametrize(
    "text",
    ["", "..", "../x", "a/../../x", "/", "/proc/x", "/sys/x", "/dev/shm/x", "a\nb", "a\x1bb"],
)
def test_destinations_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        destination(text, field="--file")


@given(st.text(max_size=60))
def test_a_destination_is_absolute_and_stays_put(text: str) -> None:
    try:
        path = destination(text, field="--file")
    except InvalidInput:
        return
    assert path.startswith("/")
    assert ".." not in path.split("/")
    assert os.path.normpath(path) == path.replace("//", "/", 1)


@given(st.text(max_size=60))
def test_any_reference_is_files_or_refused(text: str) -> None:
    try:
        inputs._split(text)
    except InvalidInput as error:
        assert "\n" not in error.hint  # noqa: PT017
