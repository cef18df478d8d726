"""Scripts: one file in a language that the base image has an interpreter for.

The language is known by the suffix (``.py``, ``.js``, ``.mjs``, ``.cjs``, ``.sh``) or else by the
``#!`` line, which may name any interpreter that is in the image.
"""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from evalbox.domain.limits import MIB
from evalbox.domain.paths import HOME
from evalbox.errors import InvalidInput
from evalbox.tasks.base import Description, Task, TaskFile, head, read_bytes
from evalbox.tasks.summary import summary_of

KIND = "script"
MAX_SCRIPT = 16 * MIB

#: The command that runs a script of each language.
INTERPRETERS: dict[str, tuple[str, ...]] = {
    "py": ("python3",),
    "js": ("node",),
    "mjs": ("node",),
    "cjs": ("node",),
    "sh": ("sh",),
}

#: What the command that runs a script is called where people read it.
_LANGUAGES = {"python3": "python", "node": "javascript", "sh": "shell"}
#: Bytes at the beginning of a script that tell what it is.
_HEAD = 4096

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]")
_MAX_NAME = 100


class ScriptFormat:
    """Reads a file into a task of one command."""

    @property
    def kind(self) -> str:
        return KIND

    def recognises(self, path: Path) -> bool:
        return not path.is_dir()

    def describe(self, path: Path) -> Description | None:
        source = head(path, _HEAD)
        language = language_of(path.name, source)
        if not language or b"\0" in source:
            return None
        return Description(language, summary_of(source.decode("utf-8", "replace")))

    def read(self, path: Path, arguments: Sequence[str]) -> Task:
        source = read_bytes(path, limit=MAX_SCRIPT)
        return script(source, origin=str(path), name=path.name, arguments=arguments)


def script(
    source: bytes,
    *,
    origin: str,
    name: str,
    arguments: Sequence[str] = (),
    language: str | None = None,
) -> Task:
    """The task of running ``source``.

    ``origin`` is what errors call it, ``name`` its file name; ``language`` is a key of
    ``INTERPRETERS`` where the user says which it is. Raises ``InvalidInput``.
    """
    if language is not None and language not in INTERPRETERS:
        raise InvalidInput(f"{language!r} is not a known language", hint=_known(), field="lang")
    _refuse_binary(source, origin)
    suffix = PurePosixPath(name).suffix.removeprefix(".").lower()
    chosen = language or (suffix if suffix in INTERPRETERS else None)
    interpreter = _interpreter(source, origin, chosen, certain=language is not None)
    _check_text(source, origin, python=interpreter[0].rpartition("/")[2].startswith("python"))
    path = f"{HOME}/{_safe_name(name, chosen)}"
    return Task(
        name=name,
        kind=KIND,
        command=(*interpreter, path, *arguments),
        files=(TaskFile(path, source, mode=0o755),),
    )


def language_of(name: str, source: bytes, language: str | None = None) -> str:
    """In a word; empty where it is not known what would run it.

    ``language`` is a key of ``INTERPRETERS`` where the user says which it is.
    """
    suffix = PurePosixPath(name).suffix.removeprefix(".").lower()
    chosen = language or (suffix if suffix in INTERPRETERS else None)
    try:
        interpreter = _interpreter(source, name, chosen, certain=language is not None)
    except InvalidInput:
        return ""
    program = PurePosixPath(interpreter[0]).name
    if program == "env":
        words = [word for word in interpreter[-1].split() if not word.startswith("-")]
        program = words[0] if words else ""
    return _LANGUAGES.get(program, program)


def _interpreter(
    source: bytes, origin: str, language: str | None, *, certain: bool
) -> tuple[str, ...]:
    # The #! line of a .py or .js file often names a place that only its author's machine has; that
    # of a shell script says which shell it needs.
    if language is not None and (certain or language != "sh"):
        return INTERPRETERS[language]
    found = _shebang(source, origin)
    if found is None and language is not None:
        return INTERPRETERS[language]
    if found is None:
        raise InvalidInput(
            f"{origin}: its language is not known",
            hint=f"{_known()}; or start it with a #! line",
            field="language",
        )
    return found


def _known() -> str:
    return f"known languages: {', '.join(INTERPRETERS)} (by suffix, or with --lang)"


def _safe_name(name: str, language: str | None) -> str:
    """A file name that is the same in every shell, locale and archive."""
    cleaned = _UNSAFE.sub("_", name)[-_MAX_NAME:].lstrip(".-") or "script"
    if language and not cleaned.lower().endswith(f".{language}"):
        return f"{cleaned}.{language}"
    return cleaned


def _shebang(source: bytes, origin: str) -> tuple[str, ...] | None:
    """The command on the ``#!`` line, as the kernel splits it: a path and at most one argument."""
    if not source.startswith(b"#!"):
        return None
    line = source.partition(b"\n")[0][2:].strip()
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise InvalidInput(f"{origin}: its #! line is not plain text") from None
    interpreter, _, argument = text.partition(" ")
    argument = argument.strip()
    if not interpreter.startswith("/"):
        raise InvalidInput(
            f"{origin}: its #! line names no absolute path: {text!r}",
            hint="write it as #!/usr/bin/env python3",
        )
    if PurePosixPath(interpreter).name == "env" and not argument:
        raise InvalidInput(f"{origin}: its #! line names no interpreter after env")
    return (interpreter, argument) if argument else (interpreter,)


def _refuse_binary(source: bytes, origin: str) -> None:
    if b"\0" in source and not source.startswith(_UTF16):
        raise InvalidInput(
            f"{origin}: is a binary file, not a script",
            hint="put it in with --file and run it: evalbox run --file PROGRAM -- ./PROGRAM",
        )


def _check_text(source: bytes, origin: str, *, python: bool) -> None:
    """Raises ``InvalidInput`` where the interpreter could not read the source either."""
    encoding, trouble = "utf-8", ""
    if python:
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        except SyntaxError as error:
            trouble = str(error)
    try:
        source.decode(encoding)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise _not_text(origin, f"byte 0x{source[error.start]:02x} in line {line}") from None
    if trouble:
        raise _not_text(origin, trouble)


def _not_text(origin: str, where: str) -> InvalidInput:
    return InvalidInput(
        f"{origin}: is not UTF-8 text: {where}",
        hint="save it as UTF-8; a Python file may declare its encoding in its first line",
    )
