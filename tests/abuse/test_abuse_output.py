"""Jobs whose output is too much, or not what it seems: rows 5 and 6."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aftermath import LIMITS, PROGRAMS, Aftermath
from terminal import REFUSED, on_a_terminal, through_pipes

from evalbox.domain.outcome import Outcome
from evalbox.domain.records import EvaluationFilter

pytestmark = [pytest.mark.gvisor, pytest.mark.asyncio(loop_scope="module")]

#: What evalbox itself may send to a terminal that shows no colours: the line is wiped.
OWN_CONTROLS = b"\r\x1b[K"
#: What a terminal would obey, and what must be seen in its place.
SHOWN = [
    (b"\x1b]0;stolen title\x07", b"^[]0;stolen title^G"),
    (b"\x1b]52;c;c3RvbGVu\x07", b"^[]52;c;c3RvbGVu^G"),
    (b"\x1b[2J\x1b[H", b"^[[2J^[[H"),
    (b"\x1b[?1049h", b"^[[?1049h"),
    ("\u202egnp.exe".encode(), b"<U+202E>gnp.exe"),
    ("\u009b31m".encode(), b"<U+009B>31m"),
]


@pytest.mark.parametrize("kind", ["lines", "line", "empty", "errors"])
async def test_row_5_prints_for_ever(aftermath: Aftermath, kind: str) -> None:
    ordeal = await aftermath.run("chatter.py", kind)
    assert ordeal.outcome is Outcome.OUTPUT_LIMIT, ordeal
    assert len(ordeal.stdout) + len(ordeal.stderr) == LIMITS.output
    assert ordeal.attempt.truncated
    assert ordeal.attempt.output_bytes == LIMITS.output


async def test_row_5_binary(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("binary.py")
    assert ordeal.outcome is Outcome.OK, ordeal
    assert ordeal.stdout == bytes(range(256)) * 16 + b"\xff\xfe\xed\xa0\x80\xf0\x9f\x98"
    assert ordeal.stderr == b"\0\xc3"
    assert not ordeal.attempt.truncated


async def test_row_5_cut_output_is_told(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("chatter.py", "lines")
    shown = await through_pipes(aftermath.data_dir, "show", ordeal.evaluation.id)
    assert shown.status == 0
    assert b"output_limit" in shown.out
    logs = await through_pipes(aftermath.data_dir, "logs", ordeal.evaluation.id)
    assert logs.out == ordeal.stdout


def assert_inert(shown: bytes) -> None:
    rest = shown.replace(OWN_CONTROLS, b"")
    active = [byte for byte in rest if byte < 0x20 and byte not in b"\n\t"]
    assert not active, rest
    assert not {character for character in rest.decode() if 0x7F <= ord(character) < 0xA0}
    assert "\u202e" not in rest.decode()


async def test_row_6_output_that_a_terminal_would_obey(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("escapes.py", artifacts=("out",))
    assert ordeal.outcome is Outcome.OK, ordeal
    for active, _ in SHOWN:
        assert active in ordeal.stdout
        assert active in ordeal.stderr
    name, place = ordeal.evaluation.id, aftermath.data_dir
    logs = await on_a_terminal(place, "logs", name)
    assert_inert(logs.out)
    for _, inert in SHOWN:
        assert logs.out.count(inert) == 2
    assert logs.out.count(b"[red]markup[/red] [link=http://evil.example]x[/link]") == 2
    for command in ("artifacts", "show", "ls", "events", "explain"):
        arguments = () if command in ("ls", "events") else (name,)
        said = await on_a_terminal(place, command, *arguments)
        assert said.status == 0, said
        assert_inert(said.out)


async def test_row_6_as_it_runs(aftermath: Aftermath, tmp_path: Path) -> None:
    async def run() -> list[str]:
        program = str(PROGRAMS / "escapes.py")
        title = "\x1b]0;name\x07"
        refused = await on_a_terminal(aftermath.data_dir, "run", "--name", title, program)
        assert refused.status == REFUSED
        assert_inert(refused.out)
        said = await on_a_terminal(
            aftermath.data_dir, "run", "--timeout", "4", "--name", "[red]live[/red]",
            "--artifact", "out", "--artifacts-dir", str(tmp_path / "kept"), program,
        )  # fmt: skip
        assert said.status == 0, said
        assert_inert(said.out)
        assert b"[red]live[/red]" in said.out
        for _, inert in SHOWN:
            assert said.out.count(inert) >= 2
        (newest,) = await aftermath.box.list(EvaluationFilter(name="[[]red]live*"), limit=1)
        return [newest.id]

    (ordeal,) = await aftermath.after(run)
    assert ordeal.outcome is Outcome.OK, ordeal
    names = [path.name for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert len(names) > 10
    assert all(name.isprintable() for name in names)


async def test_row_6_as_data(aftermath: Aftermath) -> None:
    ordeal = await aftermath.run("escapes.py")
    said = await through_pipes(aftermath.data_dir, "logs", "--json", ordeal.evaluation.id)
    assert b"\x1b" not in said.out
    texts = [json.loads(line)["text"] for line in said.out.splitlines()]
    assert "\x1b]0;stolen title\x07" in "".join(texts)
