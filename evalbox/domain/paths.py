"""Paths in a sandbox, as users name them."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from evalbox.errors import InvalidInput

#: The directory in the sandbox where a task starts and where its files are.
HOME = "/home/agent"
#: What standard input is called where it travels as a file.
STDIN = "/stdin"
_OFF_LIMITS = (("proc",), ("sys",), ("dev",))


def destination(text: str, *, field: str) -> str:
    """The absolute path in the sandbox for ``text``, to put a file at or to keep.

    Raises ``InvalidInput``.
    """
    path = PurePosixPath(HOME) / text
    if not text or not text.isprintable() or ".." in path.parts:
        raise InvalidInput(
            f"{field}: {text!r} is not a path to put a file at",
            hint=f"give an absolute path, or one beneath {HOME}, without ..",
            field=field.lstrip("-"),
        )
    if path.parts[1:2] in _OFF_LIMITS or len(path.parts) < 2:
        raise InvalidInput(f"{field}: {text}: nothing can be put there", field=field.lstrip("-"))
    return str(path)


def beneath(path: str) -> PurePosixPath:
    """``path``, which a job may have chosen, as one that cannot lead out of a directory."""
    parts = [part for part in PurePosixPath(path).parts if part.strip("/")]
    if not parts or ".." in parts or "\0" in path:
        raise InvalidInput(f"artifact {path!r}: its path leads out of the directory")
    return PurePosixPath(*parts)


def expanded(path: str | Path) -> Path:
    """With a home directory for ``~``, as shells have it. Raises ``InvalidInput`` for nobody's."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise InvalidInput(f"{path}: nobody has that home directory") from None
