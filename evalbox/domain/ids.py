"""Ids that sort by the time of their making.

22 characters of Crockford's base 32 in lower case: 10 of milliseconds since 1970, 4 of a counter
that orders the ids of one millisecond, 8 at random. The random end is the *short form* that people
see and type; any unambiguous beginning of it serves.
"""

from __future__ import annotations

import secrets
import threading

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
SHORT_LENGTH = 8
LENGTH = 10 + 4 + SHORT_LENGTH


def _encode(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


class IdFactory:
    """Makes ids that grow strictly within this factory, even when the clock steps back."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_ms = 0
        self._counter = 0

    def new(self, now: float) -> str:
        """An id for the time ``now``, in seconds since 1970."""
        with self._lock:
            milliseconds = int(now * 1000)
            if milliseconds > self._last_ms:
                self._last_ms, self._counter = milliseconds, 0
            else:
                self._counter += 1
            time_part, counter = self._last_ms, self._counter
        noise = secrets.randbits(5 * SHORT_LENGTH)
        return _encode(time_part, 10) + _encode(counter, 4) + _encode(noise, SHORT_LENGTH)


def short(identifier: str) -> str:
    """The short form of an id."""
    return identifier[-SHORT_LENGTH:]


def is_reference(text: str) -> bool:
    """Whether ``text`` could be an id, or the beginning of an id or of a short form."""
    return 0 < len(text) <= LENGTH and all(character in ALPHABET for character in text)
