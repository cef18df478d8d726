"""Files that a job leaves, and files that are sent in: rows 14 and 15."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

import pytest
from aftermath import LIMITS, PROGRAMS, Aftermath, Ordeal
from terminal import REFUSED, through_pipes

from evalbox.domain.limits import GIB, MIB
from evalbox.domain.outcome import Outcome
from evalbox.errors import InvalidInput

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

MAX_FILES = 10_000


def kept(aftermath: Aftermath, ordeal: Ordeal) -> dict[str, Path]:
    """What was kept, as it is on the host; with nothing there that is no plain file."""
    place = aftermath.box._store.artifact_dir(ordeal.evaluation.id, 1)
    found: dict[str, Path] = {}
    for directory, names, files in os.walk(place):
        for name in (*names, *files):
            path = Path(directory) / name
            assert not path.is_symlink(), path
            if name in files:
                assert path.is_file(), path
                assert path.stat().st_mode & 0o7000 == 0, path
                assert path.stat().st_nlink == 1, path
                found[str(path.relative_to(place))] = path
    assert set(found) == {item.path for item in ordeal.artifacts if item.kind == "file"}
    assert sum(path.stat().st_size for path in found.values()) <= LIMITS.artifacts
    return found


def skipped(ordeal: Ordeal) -> dict[str, str]:
    return {item.path: item.reason for item in ordeal.artifacts if item.kind == "skipped"}


async def test_row_14_traps(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("trap.py", artifacts=("out",))
    assert ordeal.outcome is Outcome.OK, ordeal
    files, left_out = kept(aftermath, ordeal), skipped(ordeal)
    names = {"honest", "setuid", r"new\nline \x1b]0;title\x07 [red]", r"not-\xff-utf8"}
    assert set(files) == {f"out/{name}" for name in names}
    assert files["out/honest"].read_text() == "plain content"
    for name in ("shadow", "hosts", "up", "root", "self", "loop", "fd", "docker", "directory"):
        assert left_out.pop(f"out/{name}") == "it is a symbolic link"
    assert left_out.pop("out/hard") == "it is a hard link"
    assert left_out.pop("out/fifo") == "it is a named pipe"
    assert left_out.pop("out/device", "it is a device") == "it is a device"
    assert not left_out


@pytest.mark.parametrize("target", ["/", "/etc", "/proc/1", "out"])
async def test_row_14_artifact_that_is_a_link(aftermath: Aftermath, target: str) -> None:
    ordeal = await aftermath.run("trap.py", target, artifacts=("out", "out/shadow"))
    assert ordeal.outcome is Outcome.OK, ordeal
    assert not kept(aftermath, ordeal)


async def test_row_14_what_is_not_its_own_to_give(aftermath: Aftermath) -> None:
    """Paths of the sandbox's system: whatever is kept is the sandbox's, and bounded."""
    for path in ("/dev/zero", "/dev/urandom", "/proc/kcore", "/proc/1/mem", "/dev"):
        with pytest.raises(InvalidInput):
            await aftermath.run(["true"], artifacts=(path,))
    # By way of links the job gets there all the same.
    script = "ln -s /dev/zero zero; ln -s /proc/1/mem mem; ln -s /dev devices"
    paths = ("/etc/shadow", "zero", "mem", "devices")
    ordeal = await aftermath.run(["sh", "-c", script], artifacts=paths)
    assert ordeal.outcome is Outcome.OK, ordeal
    host = Path("/etc/shadow").read_bytes()
    for path in kept(aftermath, ordeal).values():
        assert path.read_bytes() != host


async def test_row_15_tar_of_its_own(aftermath: Aftermath) -> None:
    """As root in its sandbox a job may replace the program that reads its artifacts."""
    mark = secrets.token_hex(8)
    outside = {Path("/tmp/escaped"), aftermath.data_dir.parent / "escaped"}
    before = {path for path in outside if path.exists()}
    ordeal = await aftermath.run("forge.py", mark, artifacts=("out",), user="0:0")
    files = kept(aftermath, ordeal)
    assert all(path.read_text() == mark for path in files.values())
    assert "out/honest" in files
    assert "out/huge" not in files
    escaped = [path for path in aftermath.data_dir.rglob("*escaped*") if path.is_file()]
    assert set(escaped) <= set(files.values())
    assert {path for path in outside if path.exists()} == before
    assert any("leads out of the directory" in reason for reason in skipped(ordeal).values())


async def test_row_15_ten_gibibytes(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run(
        "keepsakes.py", "sparse", artifacts=("out",), disk=11 * GIB, timeout=12.0
    )
    assert ordeal.outcome is Outcome.FAILED, ordeal
    assert ordeal.evaluation.exit_code == 7
    assert "out/kept" in kept(aftermath, ordeal)
    assert "beyond the limit of 1.0 MiB" in skipped(ordeal)["out/sparse"]


async def test_row_15_twenty_thousand_files(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run(
        "keepsakes.py", "crowd", artifacts=("out",), timeout=20.0, memory=256 * MIB
    )
    assert ordeal.outcome is Outcome.FAILED, ordeal
    assert ordeal.evaluation.exit_code == 7
    assert MAX_FILES - 2 <= len(kept(aftermath, ordeal)) <= MAX_FILES
    assert f"more than {MAX_FILES} entries" in "".join(skipped(ordeal).values())


@pytest.mark.parametrize(
    ("way", "outcomes"),
    [
        # The command has ended with its own status, and what goes on behind it changes nothing.
        ("held", {Outcome.FAILED}),
        ("unplugged", {Outcome.FAILED}),
        ("replaced", {Outcome.FAILED}),
        # Or it keeps its sandbox from ending, at its own expense.
        ("growing", {Outcome.FAILED, Outcome.DISK_LIMIT, Outcome.OUT_OF_MEMORY}),
        ("killing", {Outcome.FAILED, Outcome.TIMEOUT, Outcome.KILLED}),
        ("stopping", {Outcome.FAILED, Outcome.TIMEOUT}),
        ("early", {Outcome.TIMEOUT}),
    ],
)
async def test_row_15_disturbs_the_collection(
    aftermath: Aftermath, way: str, outcomes: set[Outcome]
) -> None:
    ordeal = await aftermath.run("keepsakes.py", way, artifacts=("out",), memory=512 * MIB)
    assert ordeal.outcome in outcomes, ordeal
    assert len(ordeal.attempts) == 1
    kept(aftermath, ordeal)


def _links_out(place: Path) -> None:
    (place / "passwd").symlink_to("/etc/passwd")


def _climbs_out(place: Path) -> None:
    (place / "up").symlink_to("../" * 20 + "etc")


def _links_out_in_steps(place: Path) -> None:
    (place / "first").symlink_to("second")
    (place / "second").symlink_to("/etc/hostname")


def _links_to_itself(place: Path) -> None:
    (place / "loop").symlink_to("loop")
    (place / "up").symlink_to(".")


def _holds_a_pipe(place: Path) -> None:
    os.mkfifo(place / "fifo")


def _holds_a_socket(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(place / "socket"))


def _holds_ten_gibibytes(place: Path) -> None:
    with (place / "huge").open("wb") as file:
        file.truncate(10 * GIB)


def _holds_too_many(place: Path) -> None:
    for number in range(MAX_FILES + 1):
        (place / str(number)).touch()


@pytest.mark.parametrize(
    "fill",
    [
        _links_out, _climbs_out, _links_out_in_steps, _links_to_itself,
        _holds_a_pipe, _holds_a_socket, _holds_ten_gibibytes, _holds_too_many,
    ],
    ids=lambda fill: fill.__name__.strip("_"),
)  # fmt: skip
async def test_row_15_directory_that_cannot_be_sent(
    tmp_path_factory: pytest.TempPathFactory, fill: object
) -> None:
    # A short path: a socket's name has room for little more than 100 characters.
    place = tmp_path_factory.mktemp("sent")
    (place / "honest").write_text("honest")
    assert callable(fill)
    fill(place)
    box = place.parent / "refused"
    said = await through_pipes(box, "submit", "--file", f"{place}:in", str(PROGRAMS / "spin.py"))
    assert said.status == REFUSED, said
    assert str(place).encode() in said.err
    assert b"Traceback" not in said.err
    assert not box.exists()


async def test_row_15_only_modes_of_files_are_sent(aftermath: Aftermath, tmp_path: Path) -> None:
    program = tmp_path / "in" / "program"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o6755)

    async def submit() -> list[str]:
        said = await through_pipes(
            aftermath.data_dir, "submit", "--timeout", "4", "--file", f"{program.parent}:in",
            "--", "stat", "-c", "%a %u %n", "in/program",
        )  # fmt: skip
        assert said.status == 0, said
        return said.out.decode().split()

    (ordeal,) = await aftermath.after(submit)
    assert ordeal.stdout == b"755 1000 in/program\n", ordeal
