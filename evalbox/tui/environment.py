"""What must be decided before Textual is imported: it reads its settings as constants."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from pathlib import Path

#: For a link on which every byte counts. Frames need no limit: there is one for a key and one for a
#: look at what changed, and the less often they may be, the later a key is seen.
_OVER_SSH = {
    "TEXTUAL_ANIMATIONS": "none",
    "TEXTUAL_SMOOTH_SCROLL": "0",
}
#: On the machine itself only animations are left out: they would hide what a key did.
_NEAR = {"TEXTUAL_ANIMATIONS": "none"}
_LOOK_NEAR, _LOOK_OVER_SSH = 0.5, 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """How the terminal is used.

    ``passing``: the box ends with the screen, and nothing of it is kept.
    ``interval`` is seconds between two looks at what changed. ``theme`` is ``dark`` or ``light``.
    ``task_dirs`` are looked into for tasks. ``keymap`` has keys of the user's own, by the ids of
    bindings. ``memory`` is the file that keeps what is remembered.
    """

    ascii: bool = False
    mouse: bool = True
    read_only: bool = False
    passing: bool = False
    colour: bool = True
    theme: str = "dark"
    interval: float = _LOOK_NEAR
    task_dirs: tuple[Path, ...] = ()
    keymap: Mapping[str, str] = field(default_factory=dict)
    memory: Path | None = None


def hindrance(environ: Mapping[str, str]) -> str:
    """Why a terminal cannot draw a screen, in words; empty where it can."""
    kind = environ.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        return (
            f"a terminal with TERM={kind} cannot draw a screen; set it to what it is, as in "
            "TERM=xterm-256color, or use the commands"
        )
    return ""


def prepare(environ: MutableMapping[str, str], options: Options) -> Options:
    """Sets what Textual will read, where the user has not; gives the options that fit."""
    far = "SSH_CONNECTION" in environ or "SSH_TTY" in environ
    for name, value in (_OVER_SSH if far else _NEAR).items():
        environ.setdefault(name, value)
    plain = bool(environ.get("NO_COLOR")) or not options.colour
    # Textual takes an empty one for set, which the convention does not.
    environ.pop("NO_COLOR", None)
    if plain:
        environ["NO_COLOR"] = "1"
    return replace(
        options,
        ascii=options.ascii or not _speaks_utf8(environ),
        colour=not plain,
        interval=_LOOK_OVER_SSH if far else options.interval,
    )


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    """By the first that is set, as the C library has it; where none is, Python takes UTF-8."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environ.get(name):
            return "utf" in value.lower() or value in ("C", "POSIX")
    return True
