"""The engine of plain processes."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import platform
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from evalbox.domain.check import Check
from evalbox.domain.image import Image
from evalbox.engines.base import (
    LABEL_BOX,
    Launch,
    Profile,
    Sandbox,
    SandboxInfo,
)
from evalbox.engines.process import files, processes
from evalbox.engines.process.job import limiter
from evalbox.engines.process.sandbox import ProcessSandbox
from evalbox.errors import (
    EngineUnavailable,
    EvalboxError,
    ImageBuildError,
    ImageNotFound,
    SandboxGone,
)

_UNFINISHED = ".unfinished-"
#: Seconds after which a sandbox that is still unfinished belongs to a crash.
_UNFINISHED_FOR = 60.0
_PACKERS = 4


@dataclass(frozen=True, slots=True)
class _Record:
    """What is kept on disk of a sandbox, so that the next process finds what this one leaves."""

    id: str
    name: str | None
    labels: Mapping[str, str]


class ProcessEngine:
    """``state_dir`` holds a directory for each sandbox, and is made where it is missing."""

    name = "process"
    warmable = False

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._live: dict[str, ProcessSandbox] = {}
        self._clearing: set[asyncio.Task[None]] = set()
        self._packer = ThreadPoolExecutor(_PACKERS, thread_name_prefix="evalbox-pack")

    async def check(self, image: str | None = None) -> Sequence[Check]:
        checks = [
            Check(
                "process engine",
                "warning",
                "commands run on this host with no isolation at all",
                "use --engine gvisor for anything that is not your own",
            )
        ]
        try:
            await self.ping()
            await self._try()
        except (EvalboxError, OSError) as error:
            hint = error.hint if isinstance(error, EvalboxError) else ""
            return [*checks, Check("process", "failure", str(error), hint)]
        return [*checks, Check("process", "ok", "a command was run")]

    async def ping(self) -> None:
        limiter()
        try:
            await asyncio.to_thread(self._make_state_dir)
        except OSError as error:
            raise EngineUnavailable(
                f"{self._state_dir}: {error.strerror}", hint="make it a directory of your own"
            ) from error

    async def image(self, reference: str) -> Image:
        """This host, whatever is asked for."""
        host = f"host:{platform.platform(terse=True)}"
        return Image(id=reference, digest=host, names=(reference,), size=0)

    async def provide(self, reference: str, progress: Callable[[str], None]) -> Image:
        return await self.image(reference)

    async def keep_image(
        self, sandbox: Sandbox, name: str, *, labels: Mapping[str, str], most: int, at: Path
    ) -> Image:
        raise ImageBuildError(
            "engine process has no images, so none can be built",
            hint="ask for another engine: gvisor or runc",
        )

    async def drop_image(self, name: str) -> None:
        raise ImageNotFound(f"engine process has no images, so there is no {name}")

    async def create(
        self, profile: Profile, *, labels: Mapping[str, str], name: str | None = None
    ) -> Sandbox:
        await self.ping()
        if name is not None:
            await self._remove_named(name)
        record = _Record(f"process-{secrets.token_hex(6)}", name, dict(labels))
        making = asyncio.ensure_future(asyncio.to_thread(self._make, record))
        try:
            directory = await asyncio.shield(making)
        except asyncio.CancelledError:
            self._clear(making)
            raise
        except OSError as error:
            raise EngineUnavailable(f"{self._state_dir}: {error.strerror}") from error
        sandbox = ProcessSandbox(record.id, directory, profile, self._packer, self._forget)
        self._live[record.id] = sandbox
        return sandbox

    async def list(self, box: str) -> Sequence[SandboxInfo]:
        records = await asyncio.to_thread(self._records)
        marked = await asyncio.to_thread(processes.marked)
        return [
            SandboxInfo(record.id, self._runs(record.id, marked), record.labels)
            for record in records
            if record.labels.get(LABEL_BOX) == box
        ]

    async def adopt(self, sandbox_id: str) -> Sandbox:
        sandbox = self._live.get(sandbox_id)
        if sandbox is None:
            raise SandboxGone(
                f"the process sandbox {sandbox_id} ended with the evalbox that started it",
                hint="its output went through pipes, which nobody else can take over",
            )
        return sandbox

    async def reap(self, box: str, keep: frozenset[str]) -> int:
        doomed = [info.id for info in await self.list(box) if info.id not in keep]
        for sandbox_id in doomed:
            await self._remove(sandbox_id)
        await asyncio.to_thread(self._remove_unfinished)
        return len(doomed)

    async def close(self) -> None:
        for sandbox in list(self._live.values()):
            await sandbox.detach()
        self._live.clear()
        await asyncio.gather(*self._clearing, return_exceptions=True)
        self._packer.shutdown(wait=False)

    # --- within ---

    async def _try(self) -> None:
        sandbox = await self.create(Profile(image="host"), labels={})
        try:
            await sandbox.launch(Launch(("true",), workdir="/"))
            how = await sandbox.wait()
        finally:
            await sandbox.destroy()
        if how.code != 0:
            raise EngineUnavailable(f"a command that does nothing ended with {how.code}")

    def _runs(self, sandbox_id: str, marked: set[str]) -> bool:
        sandbox = self._live.get(sandbox_id)
        return sandbox.running if sandbox is not None else sandbox_id in marked

    def _forget(self, sandbox_id: str) -> None:
        self._live.pop(sandbox_id, None)

    def _clear(self, making: asyncio.Future[Path]) -> None:
        """Undoes, in the background, a creation that nobody waits for any more."""

        async def clear() -> None:
            await asyncio.to_thread(files.remove, await making)

        task = asyncio.create_task(clear())
        self._clearing.add(task)
        task.add_done_callback(self._clearing.discard)

    async def _remove_named(self, name: str) -> None:
        for record in await asyncio.to_thread(self._records):
            if record.name == name:
                await self._remove(record.id)

    async def _remove(self, sandbox_id: str) -> None:
        sandbox = self._live.get(sandbox_id)
        if sandbox is not None:
            await sandbox.destroy()
        else:
            await asyncio.to_thread(processes.kill_all, sandbox_id)
            await asyncio.to_thread(files.remove, self._state_dir / sandbox_id)

    # --- on disk; these block ---

    def _make_state_dir(self) -> None:
        self._state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Where anybody may make directories, this one may be another's, and a trap.
        if self._state_dir.lstat().st_uid != os.getuid() or self._state_dir.is_symlink():
            raise PermissionError(errno.EPERM, "belongs to somebody else")

    def _make(self, record: _Record) -> Path:
        # Under its name only when it is whole, so that whoever sees it can read its record.
        unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self._state_dir))
        try:
            (unfinished / "root" / "tmp").mkdir(parents=True)
            text = json.dumps({"name": record.name, "labels": dict(record.labels)})
            (unfinished / "sandbox.json").write_text(text)
            return unfinished.rename(self._state_dir / record.id)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise

    def _records(self) -> Sequence[_Record]:
        records = []
        for path in self._state_dir.glob("process-*/sandbox.json"):
            try:
                content = json.loads(path.read_text())
            except (OSError, ValueError):
                continue  # it is being removed
            records.append(_Record(path.parent.name, content["name"], content["labels"]))
        return records

    def _remove_unfinished(self) -> None:
        for path in self._state_dir.glob(f"{_UNFINISHED}*"):
            if path.lstat().st_mtime < time.time() - _UNFINISHED_FOR:
                files.remove(path)
