"""The engines by name."""

from __future__ import annotations

from evalbox.errors import InvalidInput

#: Every one there is, the safest first.
ENGINES = ("gvisor", "runc", "process", "fake")


def engine_name(text: str, *, flag: bool = False) -> str:
    """Raises ``InvalidInput`` where there is no such engine.

    ``flag``: it is an option of the command line, and is named as one.
    """
    if text not in ENGINES:
        raise InvalidInput(
            f"{'--' if flag else ''}engine: there is no engine {text[:60]!r}",
            hint=f"known: {', '.join(ENGINES)}",
            field="engine",
        )
    return text
