"""The command line that asks for the same."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from evalbox.requests.request import Request

#: The options and their flags, in the order in which people read them.
_FLAGS = {
    "lang": "--lang",
    "name": "--name",
    "image": "--image",
    "engine": "--engine",
    "user": "--user",
    "network": "--network",
    "cpus": "--cpus",
    "memory": "--memory",
    "timeout": "--timeout",
    "disk": "--disk",
    "pids": "--pids",
    "output_limit": "--output-limit",
    "env": "--env",
    "env_file": "--env-file",
    "file": "--file",
    "stdin": "--stdin",
    "artifact": "--artifact",
    "score": "--score",
    "priority": "--priority",
    "retries": "--retries",
    "at": "--at",
    "after": "--in",
    "repeat": "--repeat",
    "batch": "--batch",
    "label": "--label",
    "idempotency_key": "--idempotency-key",
    "agent": "--agent",
    "agent_name": "--agent-name",
    "submission": "--submission",
    "task": "--task",
    "secrets": "--secrets",
    "deadline": "--deadline",
}
_UNSAID = Request()


def words(request: Request, *, command: str = "submit", flags: Sequence[str] = ()) -> list[str]:
    """The arguments of ``evalbox`` that make ``request``; a ``source`` goes to standard input.

    ``flags`` are those of the whole program, and come first.
    """
    found = [*flags, command]
    for option in _FLAGS:
        found += _option(request, option)
    before, behind = _split(request)
    if request.path is not None:
        found.append(_path(request.path))
    found += before
    return [*found, "--", *behind] if behind else found


def line(request: Request, *, command: str = "submit", flags: Sequence[str] = ()) -> str:
    """The same for a shell; the ``source``, which ends in a line feed, as a here-document."""
    text = shlex.join(["evalbox", *words(request, command=command, flags=flags)])
    if request.source is None:
        return text
    source = request.source.decode()
    end = _end(source.splitlines())
    return f"{text} <<'{end}'\n{source}{end}"


def _option(request: Request, option: str) -> Iterator[str]:
    given = getattr(request, option)
    if given == getattr(_UNSAID, option):
        return
    flag = _FLAGS[option]
    for value in given if isinstance(given, tuple) else (given,):
        # Two dashes alone would end the options.
        if value.startswith("-"):
            yield f"{flag}={value}"
        else:
            yield from (flag, value)


def _split(request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The arguments, and those that have to stand behind two dashes."""
    if any(word.startswith("-") for word in request.arguments):
        return (), (*request.arguments, *request.command)
    return request.arguments, request.command


def _path(path: str) -> str:
    return f"./{path}" if path.startswith("-") and path != "-" else path


def _end(lines: Sequence[str]) -> str:
    """A word that is no line of them."""
    number, end = 1, "EOF"
    while end in lines:
        number, end = number + 1, f"EOF{number + 1}"
    return end
