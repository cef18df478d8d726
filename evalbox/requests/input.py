"""Standard input, as a request names it: a file, a pipe, or what the caller itself was given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evalbox.domain.limits import GIB, MIB
from evalbox.domain.quantity import format_size
from evalbox.errors import InvalidInput
from evalbox.tasks.base import check_readable, read_bytes, unreadable

MAX_STDIN = 1 * GIB
#: What comes from a pipe is held in memory.
MAX_PIPE = 256 * MIB

#: Gives at most so many bytes of the caller's standard input.
ReadInput = Callable[[int], bytes]


def no_input(_most: int) -> bytes:
    """For who has no standard input to read."""
    raise InvalidInput("there is no standard input here", hint="name a file", field="stdin")


def file_or_pipe(path: Path) -> Path | bytes:
    """What ``--stdin`` names. Raises ``FileMissing`` or ``InvalidInput``."""
    try:
        check_readable(path)
        if not path.is_file():
            return read_bytes(path, limit=MAX_PIPE)
        if path.stat().st_size > MAX_STDIN:
            raise InvalidInput(f"--stdin: {path}: is over {format_size(MAX_STDIN)}", field="stdin")
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError:
        raise InvalidInput(f"--stdin: {str(path)!r} is no path", field="stdin") from None
    return path


def from_pipe(read_input: ReadInput, limit: int) -> bytes:
    """All of it. Raises ``InvalidInput`` where it is longer than ``limit`` bytes."""
    content = read_input(limit + 1)
    if len(content) > limit:
        raise InvalidInput(
            f"standard input: is longer than {format_size(limit)}", hint="put it into a file"
        )
    return content
