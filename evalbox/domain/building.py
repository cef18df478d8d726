"""Images that are made upon others, by a program that runs in a sandbox."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalbox.domain.evaluation import InputFile

HOUR = 3600.0
#: What the names of images begin with that were built.
BUILT = "evalbox/built"
#: Seconds that a build may be given.
LONGEST = 24 * HOUR

#: What root of a sandbox may be allowed, in Linux's names without ``CAP_``. None of it leads out.
CAPABILITIES = frozenset(
    {"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "NET_BIND_SERVICE", "SETGID", "SETPCAP", "SETUID"}
)


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """How an image is made: ``files`` are put in, ``command`` is run, and what is there is kept.

    It is run by root, with the internet, for at most ``timeout`` seconds. What the file
    ``description`` holds afterwards, of JSON, is told of the image; empty for none.
    """

    files: tuple[InputFile, ...]
    command: tuple[str, ...]
    timeout: float = HOUR
    description: str = ""

    def key(self, base: str, makers: Mapping[str, str] = MappingProxyType({})) -> str:
        """The same for what makes the same image upon the one with the id ``base``.

        ``makers`` are programs that are known, by the hashes of their content: each with the name
        of what it does, under which another version of it makes the same.
        """
        files = sorted((one.path, makers.get(one.blob, one.blob), one.mode) for one in self.files)
        told = json.dumps([base, files, self.command, self.description])
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


def built_name(key: str) -> str:
    """What the image of the build with that key is called."""
    return f"{BUILT}:{key[:16]}"


class BuildState(StrEnum):
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"
    #: Its image has been removed, and is made again when it is asked for.
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """A build as the store has it. Times are seconds since 1970, ``seconds`` is what it took.

    ``base`` is what was asked to be built upon, ``size`` that of the image in bytes. ``reason``
    says why it failed.
    """

    key: str
    state: BuildState
    base: str
    engine: str
    created_at: float
    used_at: float
    seconds: float = 0.0
    size: int = 0
    reason: str = ""
    description: str = ""

    @property
    def image(self) -> str:
        return built_name(self.key)


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was made. ``description`` is JSON; ``cached``: it was there already.

    ``seconds`` is what making it took, and ``created_at`` when that was, since 1970.
    """

    image: str
    key: str
    description: str = ""
    cached: bool = False
    seconds: float = 0.0
    created_at: float = 0.0
