"""What has been typed into the form, and the request that it makes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePath
from typing import Any

from evalbox.domain.paths import expanded
from evalbox.domain.text import MAX_TEXT
from evalbox.errors import EvalboxError, InvalidInput
from evalbox.requests.problems import problems
from evalbox.requests.request import Defaults, Request
from evalbox.tasks.base import read_bytes
from evalbox.tasks.script import INTERPRETERS, MAX_SCRIPT, language_of
from evalbox.tui.form.fields import FIELDS, Kind

AUTO = "auto"
LANGUAGES = (AUTO, "py", "js", "sh")

#: What can be typed on in without waiting for it, in characters and in lines.
MOST_TEXT, MOST_LINES = 1 << 20, 10_000
_NAMELESS = "script"


class Mode(StrEnum):
    """What is run. ``FILE``: one that is opened, and run as it is."""

    SCRIPT = "script"
    COMMAND = "command"
    FILE = "file"


@dataclass(slots=True)
class Draft:
    """``path`` is that of the file that was opened, and ``opened`` its text.

    ``values`` are what stands in the fields, by the option.
    """

    mode: Mode = Mode.SCRIPT
    text: str = ""
    language: str = AUTO
    path: str = ""
    opened: str = ""
    command: str = ""
    arguments: str = ""
    values: dict[str, str] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether something would be lost with it."""
        typed = self.text != self.opened or self.command or self.arguments
        return bool(typed or any(self.values.values()))

    @property
    def tongue(self) -> str:
        """The language of the script in a word, by the rules of scripts; empty if not known."""
        name = PurePath(self.path).name
        chosen = None if self.language == AUTO else self.language
        return language_of(name, self.text.encode(errors="replace"), chosen)

    def request(self) -> Request:
        """Raises ``InvalidInput``."""
        request, wrong = self._read()
        for error in wrong.values():
            raise error
        return request

    def problems(self, defaults: Defaults, *, now: float) -> dict[str, EvalboxError]:
        """What is wrong, by the option; ``path`` stands for all of what is run.

        Reads the files that are named, so that it is to be called beside an event loop.
        """
        request, wrong = self._read()
        if "path" in wrong:
            request = replace(request, command=("true",))
        return {**problems(request, defaults, now=now), **wrong}

    def _read(self) -> tuple[Request, dict[str, EvalboxError]]:
        """The request without what could not be read, and why that could not."""
        wrong: dict[str, EvalboxError] = {}
        given: dict[str, Any] = {}
        for option, text in self.values.items():
            if not text:
                continue
            try:
                several = FIELDS[option].kind is Kind.SEVERAL
                given[option] = _words(text, option) if several else text
            except InvalidInput as error:
                wrong[option] = error
        try:
            given |= self._program(given.get("name"))
        except InvalidInput as error:
            wrong["path"] = error
        return Request(**given), wrong

    def _program(self, name: str | None) -> Mapping[str, Any]:
        if self.mode is Mode.COMMAND:
            if not self.command.strip():
                raise InvalidInput("there is no command yet", field="command")
            return {"command": _words(self.command, "command")}
        arguments = _words(self.arguments, "arguments")
        chosen = None if self.language == AUTO else self.language
        if self.mode is Mode.FILE or (self.path and self.text == self.opened):
            return {"path": self.path, "lang": chosen, "command": arguments}
        if not self.text.strip():
            raise InvalidInput(
                "there is no script yet", hint="type or paste one, or open a file", field="path"
            )
        return {
            "path": "-",
            "source": _ended(self.text).encode(errors="surrogatepass"),
            "lang": chosen or self._suffix(),
            "name": name or _name_of(self.path),
            "command": arguments,
        }

    def _suffix(self) -> str | None:
        """That of the file that was opened, which the script had from there."""
        suffix = PurePath(self.path).suffix.removeprefix(".").lower()
        # A shell script says which shell it needs.
        told = suffix == "sh" and self.text.startswith("#!")
        return suffix if suffix in INTERPRETERS and not told else None


def opened(path: Path, before: Draft) -> Draft:
    """``before`` with what is at ``path`` in place of its script or command.

    It can be typed on where it is text of no great length. Raises ``InvalidInput`` and
    ``FileMissing``; reads the file, so that it is to be called beside an event loop.
    """
    path = expanded(path)
    text = None if path.is_dir() else editable(read_bytes(path, limit=MAX_SCRIPT))
    if text is None:
        return replace(before, mode=Mode.FILE, path=str(path), text="", opened="", command="",
                       language=AUTO)  # fmt: skip
    return replace(before, mode=Mode.SCRIPT, path=str(path), text=text, opened=text, command="",
                   language=AUTO)  # fmt: skip


def too_long(text: str) -> bool:
    """Whether typing on in it would make people wait."""
    return len(text) > MOST_TEXT or text.count("\n") >= MOST_LINES


def editable(source: bytes) -> str | None:
    """The text, where an editor would give it back as it is."""
    try:
        text = source.decode()
    except UnicodeDecodeError:
        return None
    plain = not text or text.splitlines() == text.removesuffix("\n").split("\n")
    return text if plain and "\0" not in text and not too_long(text) else None


def _words(text: str, option: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(text))
    except ValueError:
        raise InvalidInput("a quote is not closed", field=option) from None


def _ended(text: str) -> str:
    return text if text.endswith("\n") else text + "\n"


def _name_of(path: str) -> str:
    name = PurePath(path).name
    return name if name.strip() and name.isprintable() and len(name) <= MAX_TEXT else _NAMELESS
