"""A request, the command line that is printed of it, and what the command line makes of that."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalbox.cli.program import BEHIND
from evalbox.cli.run import submit_command
from evalbox.requests.line import line, words
from evalbox.requests.request import Request

#: Whatever a terminal lets people type.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
several = st.lists(texts, max_size=3).map(tuple)
asked = {
    name: st.none() | texts
    for name in (
        "lang", "image", "engine", "user", "cpus", "memory", "timeout", "disk", "pids",
        "output_limit", "stdin", "score", "retries", "at", "after", "repeat", "batch", "name",
        "idempotency_key", "agent", "agent_name", "submission", "secrets",
    )
} | dict.fromkeys(
    ("env", "env_file", "file", "artifact", "label", "task", "deadline"), several
)  # fmt: skip
surroundings = st.fixed_dictionaries(
    {},
    optional=asked
    | {
        "network": st.sampled_from(["none", "internet"]),
        "priority": st.sampled_from(["high", "normal", "low"]),
    },
)
plain = texts.filter(lambda text: not text.startswith("-"))
programs = st.one_of(
    st.lists(texts, min_size=1, max_size=4).map(lambda command: {"command": tuple(command)}),
    st.fixed_dictionaries(
        {"path": plain | st.just("-")},
        optional={"arguments": st.lists(plain, max_size=3).map(tuple), "command": several},
    ),
)


def parsed(arguments: list[str]) -> Request:
    with submit_command.make_context("submit", arguments) as context:
        found = dict(context.params)
        found.pop("as_json")
        return Request(command=context.meta.get(BEHIND, ()), **found)


def shelled(text: str, place: Path) -> tuple[list[str], bytes]:
    """What a shell makes of the line: the arguments of the command, and its standard input."""
    place.mkdir(exist_ok=True)
    script = f"evalbox() {{ printf '%s\\0' \"$@\" >{place}/words; cat >{place}/input; }}\n{text}\n"
    subprocess.run(["sh"], input=script.encode(), check=True)
    found = (place / "words").read_bytes().decode().split("\0")[:-1]
    return found, (place / "input").read_bytes()


@given(program=programs, other=surroundings)
def test_a_request_comes_back_from_its_own_line(
    program: dict[str, Any], other: dict[str, Any]
) -> None:
    request = Request(**program, **other)
    name, *arguments = words(request)
    assert name == "submit"
    assert parsed(arguments) == request


@pytest.mark.parametrize(
    "source",
    ["print('$HOME `id` \\\\')\n", "EOF\nEOF2\n", "é\r\n\ttab\n", "\x1b]0;title\x07\n", "\n"],
)
def test_a_shell_hands_over_the_script_as_it_is(source: str, tmp_path: Path) -> None:
    request = Request(path="-", source=source.encode(), lang="py", name="it's $x; `y`\n-")
    found, content = shelled(line(request, flags=("--url", "http://box:1")), tmp_path)
    assert content == source.encode()
    assert found == words(request, flags=("--url", "http://box:1"))


def test_what_begins_with_a_dash_is_no_option() -> None:
    request = Request(path="-x.py", arguments=("-v", "a"), command=("--",))
    assert words(request) == ["submit", "./-x.py", "--", "-v", "a", "--"]
