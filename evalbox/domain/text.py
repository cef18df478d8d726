"""Text that people will see in tables, and the names that a system takes."""

from __future__ import annotations

import re

from evalbox.errors import InvalidInput

MAX_TEXT = 200
MAX_NAME = 255
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def plain_text(text: str, *, field: str, flag: bool = False) -> str:
    """``text``, of 1 to 200 characters that can be printed. Raises ``InvalidInput``.

    ``flag``: the field is an option of the command line, and is named as one.
    """
    if not text.strip() or len(text) > MAX_TEXT or not text.isprintable():
        raise InvalidInput(
            f"{'--' if flag else ''}{field}: {text[:60]!r} is not usable",
            hint=f"give 1 to {MAX_TEXT} characters that can be printed",
            field=field,
        )
    return text


def check_name(text: str, *, field: str) -> None:
    """Takes what a file may be called too, which is shown with care. Raises ``InvalidInput``."""
    if not text or len(text) > MAX_NAME or "\0" in text:
        raise InvalidInput(
            f"{field}: {text[:60]!r} is not usable",
            hint=f"give 1 to {MAX_NAME} characters",
            field=field,
        )


def check_variable(name: str, value: str) -> None:
    """Refuses what no process can have in its environment. Raises ``InvalidInput``."""
    if not _VARIABLE.fullmatch(name) or len(name) > MAX_TEXT:
        raise InvalidInput(
            f"env: {name[:60]!r} is not the name of a variable",
            hint="use letters, digits and underscores",
            field="env",
        )
    if "\0" in value:
        raise InvalidInput(f"env: {name} has a NUL character in it", field="env")
