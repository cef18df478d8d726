"""What the rest of evalbox knows of containers: two protocols and the values they exchange.

An *engine* makes sandboxes; a *sandbox* is one-shot. Its life:

1. ``Engine.create`` gives a started sandbox that waits for its command: warm, if nobody needs it
   yet. What it is made of is its ``Profile``; sandboxes of equal profiles are interchangeable.
2. ``Sandbox.prepare`` puts large files in.
3. ``Sandbox.launch`` tells it what to become. **Launching again with the same ``Launch`` changes
   nothing**: the caller records the sandbox durably, then launches; after a crash it adopts the
   sandbox and launches again, and the task runs exactly once whichever side of the launch the
   crash was on.
4. ``Sandbox.output`` yields what it prints until the main process has ended.
5. ``Sandbox.artifacts`` streams the kept paths as a tar once the command has ended.
6. ``Sandbox.wait`` tells how it ended; ``Sandbox.destroy`` removes every trace of it.

While its main process lives, ``Sandbox.exec`` runs programs beside it, and ``Sandbox.files`` are
its files; see ``execution``.

Every method may raise ``EngineError``: that is never the task's fault. Methods are safe to cancel:
what was begun is finished or undone in the background.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from evalbox.domain.attempt import Usage
from evalbox.domain.check import Check
from evalbox.domain.evaluation import Network
from evalbox.domain.image import Image
from evalbox.domain.limits import Limits

if TYPE_CHECKING:
    from evalbox.engines.execution import Exec, Execution, FileAccess


class Stream(IntEnum):
    STDOUT = 1
    STDERR = 2


@dataclass(frozen=True, slots=True)
class Chunk:
    """Output as it came: ``data`` is never decoded, and never empty."""

    stream: Stream
    data: bytes


@dataclass(frozen=True, slots=True)
class Profile:
    """What a sandbox is made of.

    ``image`` is an immutable reference (``Image.id``). Of ``limits``, a sandbox enforces ``cpus``,
    ``memory`` and ``pids`` itself; ``disk`` bounds each file at once and is watched as a sum by the
    caller through ``Sandbox.usage``; ``timeout``, ``output`` and ``artifacts`` are the caller's to
    enforce. ``capabilities`` are those that root has, in Linux's names without ``CAP_``.
    """

    image: str
    user: str = "1000:1000"
    workdir: str = "/home/agent"
    network: Network = Network.NONE
    limits: Limits = field(default_factory=Limits)
    capabilities: tuple[str, ...] = ()

    def alike(self) -> tuple[object, ...]:
        """Equal for profiles whose sandboxes are interchangeable."""
        limits = self.limits
        return (
            self.image, self.user, self.workdir, self.network,
            limits.cpus, limits.memory, limits.pids, limits.disk, limits.output,
            frozenset(self.capabilities),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to put in: ``path`` absolute in the sandbox, ``source`` on the host, read-only."""

    path: str
    source: Path
    size: int
    mode: int = 0o644


@dataclass(frozen=True, slots=True)
class Launch:
    """What a sandbox becomes. ``stdin`` None is an empty standard input.

    ``artifacts`` are paths in the sandbox, absolute or beneath ``workdir``; where there are any,
    the sandbox outlives the command until they have been streamed out or it is destroyed. Of their
    stream, ``artifact_bytes`` are wanted: an engine may break it off beyond those.
    """

    command: tuple[str, ...]
    workdir: str = "/home/agent"
    # Values may be secrets.
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: tuple[SourceFile, ...] = ()
    stdin: SourceFile | None = None
    artifacts: tuple[str, ...] = ()
    artifact_bytes: int = 1 << 40


@dataclass(frozen=True, slots=True)
class Exit:
    """How the main process ended.

    ``signal`` is set only where the engine truly tells a signal from an exit status; containers do
    not (both are 128 + n in ``code``). ``error`` is the engine's own complaint, if any.
    """

    code: int | None
    signal: int | None = None
    oom_killed: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class SandboxInfo:
    """A sandbox that carries the label of a box. ``running`` is False once it has ended."""

    id: str
    running: bool
    labels: Mapping[str, str]


#: Labels on every sandbox. The evaluation and attempt are known only to those made cold.
LABEL_BOX = "evalbox.box"
LABEL_EVALUATION = "evalbox.evaluation"
LABEL_ATTEMPT = "evalbox.attempt"


class Sandbox(Protocol):
    @property
    def id(self) -> str: ...

    async def prepare(self, launch: Launch) -> None:
        """Puts the files in that are too large to travel with the launch itself."""
        ...

    async def launch(self, launch: Launch) -> None:
        """Makes the sandbox become the command. The second call does nothing."""
        ...

    def output(self, skip: Mapping[Stream, int] | None = None) -> AsyncIterator[Chunk]:
        """What the main process prints, until it has ended.

        ``skip`` bytes of each stream, already seen before a crash, are left out. One reader only.
        """
        ...

    def artifacts(self) -> AsyncIterator[bytes]:
        """The kept paths as an uncompressed tar stream, once the command has ended.

        Paths that do not exist are left out. The content is the task's: it is to be read with
        distrust. After the end of the stream the main process ends with the command's status.
        """
        ...

    async def wait(self) -> Exit:
        """Waits for the main process to end. May be called any number of times."""
        ...

    async def usage(self) -> Usage | None:
        """What it has used so far; None where that cannot be told (any more)."""
        ...

    async def exec(self, program: Exec) -> Execution:
        """Starts a program in it. Raises ``InvalidInput``, and ``SandboxGone`` where it has ended.

        A program that is not there is no error: its exit status is 127, as from a shell.
        """
        ...

    @property
    def files(self) -> FileAccess: ...

    async def kill(self) -> None:
        """Kills every process in it at once. Fine when it has ended already."""
        ...

    async def destroy(self) -> None:
        """Removes the sandbox and all that belongs to it, running or not. Idempotent."""
        ...


class Engine(Protocol):
    @property
    def name(self) -> str:
        """``gvisor``, ``runc``, ``process`` or ``fake``."""
        ...

    @property
    def warmable(self) -> bool:
        """Whether making sandboxes beforehand gains anything."""
        ...

    async def check(self, image: str | None = None) -> Sequence[Check]:
        """Tries the engine, by really starting a sandbox of ``image`` where one is given."""
        ...

    async def ping(self) -> None:
        """Raises ``EngineUnavailable``, with the remedy, where no sandbox could be made now."""
        ...

    async def image(self, reference: str) -> Image:
        """Raises ``ImageNotFound``, with the remedy."""
        ...

    async def provide(self, reference: str, progress: Callable[[str], None]) -> Image:
        """As ``image``, but what comes with evalbox to be built upon is made where it is missing.

        ``progress`` is told in lines. Raises ``ImageBuildError`` as well.
        """
        ...

    async def keep_image(
        self, sandbox: Sandbox, name: str, *, labels: Mapping[str, str], most: int, at: Path
    ) -> Image:
        """Makes an image of what a sandbox of this engine holds, with the environment and working
        directory of the image that it was made from.

        Its root must be able to read everything: have the capability ``DAC_OVERRIDE``. The image
        takes at most ``most`` bytes on the way, in a file in the directory ``at``. Raises
        ``ImageBuildError`` where that is not enough, and where this engine has no images.
        """
        ...

    async def drop_image(self, name: str) -> None:
        """Raises ``ImageNotFound``, and ``Conflict`` while it is in use."""
        ...

    async def create(
        self, profile: Profile, *, labels: Mapping[str, str], name: str | None = None
    ) -> Sandbox:
        """A started sandbox that waits for ``launch``.

        Never on anything weaker than this engine: where its runtime is missing, the answer is
        ``EngineUnavailable``. Where creation fails or is cancelled, nothing is left behind.
        ``name``, where given, makes creation idempotent: what an earlier call with the same name
        left is removed first. Raises ``InvalidInput`` where no sandbox can ever be made of the
        profile: its image has no shell, or not that user.
        """
        ...

    async def list(self, box: str) -> Sequence[SandboxInfo]:
        """Every sandbox that carries this box's label, running or ended."""
        ...

    async def adopt(self, sandbox_id: str) -> Sandbox:
        """Takes over a sandbox of an earlier process. Raises ``SandboxGone``."""
        ...

    async def reap(self, box: str, keep: frozenset[str]) -> int:
        """Removes this box's sandboxes but those of the ids in ``keep``; returns how many.

        Also what crashes leave behind that the engine's own listing does not show.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections and threads; sandboxes live on."""
        ...
