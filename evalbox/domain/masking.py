"""What is not to be told, hidden in what a program prints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: What stands in the place of a secret.
MASK = b"***"
#: Characters from which on a value is hidden: a shorter one is too often something else.
SHORTEST = 6
#: Who one is to an address, and by which password.
_USERINFO = re.compile(r"://([^/\s@]*@)")


class Mask:
    """Hides exact values in a stream of bytes, however it is cut into pieces.

    What may be the beginning of a value is held back until more has come, or ``rest`` is asked for.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        chosen = {value.encode("utf-8", "replace") for value in values if len(value) >= SHORTEST}
        self._values = sorted(chosen, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, self._values)))
        self._firsts = {value[0] for value in self._values}
        self._held = b""

    def __call__(self, data: bytes) -> bytes:
        if not self._values:
            return data
        data, told, at = self._held + data, bytearray(), 0
        cut = self._beginning(data, 0)
        for match in self._pattern.finditer(data):
            if match.start() >= cut:
                break
            told += data[at : match.start()] + MASK
            at = match.end()
            if at > cut:
                cut = self._beginning(data, at)
        told += data[at:cut]
        self._held = data[cut:]
        return bytes(told)

    def rest(self) -> bytes:
        """What was held back, as nothing more comes that would make a longer value of it."""
        held, self._held = self._held, b""
        return self._pattern.sub(MASK, held) if held else held

    def _beginning(self, data: bytes, at: int) -> int:
        """From where on ``data`` is the beginning of a value; its length where nowhere."""
        longest = len(self._values[0])
        for place in range(max(at, len(data) - longest + 1), len(data)):
            if data[place] in self._firsts:
                tail = data[place:]
                if any(len(tail) < len(one) and one.startswith(tail) for one in self._values):
                    return place
        return len(data)


def confidential(env: Mapping[str, str]) -> list[str]:
    """What of an administrator's settings is no more to be told than a secret.

    Addresses are told, but for those that say who one is, and by which password.
    """
    found = []
    for value in env.values():
        users = _USERINFO.findall(value)
        if users or "://" not in value:
            found += [value, *(user.partition(":")[2].removesuffix("@") for user in users)]
    return found
