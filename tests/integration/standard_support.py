"""A family's task led by the driver alone, in a sandbox under gVisor: no queue, no store."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker_support import Bench, bench, finished, source

from evalbox.domain.limits import MIB, Limits
from evalbox.engines.base import Launch, Sandbox, SourceFile
from evalbox.tasks.standard.planning import CAPABILITIES, DRIVER, PLAN, REPORT, driver

GIVEN = "/root/.evalbox/given"
SUBMISSION = "/home/agent/submission.txt"
REPORTS = "/root/reports"
#: The least of a family; what a test is about is added to it.
HEAD = """
import os, subprocess, sys, time
from pathlib import Path

class TaskFamily:
    @staticmethod
    def get_tasks():
        return {"main": {}}
"""


@dataclass(frozen=True)
class Lived:
    """``told`` is the narration; ``kept`` are the files that were asked for, with their modes."""

    code: int | None
    out: bytes
    told: str
    report: dict[str, Any]
    kept: Mapping[str, tarfile.TarInfo]
    content: Mapping[str, bytes]

    @property
    def phases(self) -> list[str]:
        return [line[4:] for line in self.told.splitlines() if line.startswith("==> ")]

    @property
    def score(self) -> Any:
        return self.report["score"]

    def of(self, task: str) -> dict[str, Any]:
        """The report of one of several."""
        found: dict[str, Any] = json.loads(self.content[f"{REPORTS}/{task}.json"])
        return found


def family(members: str) -> str:
    """``HEAD`` with these members, written without their indentation."""
    return HEAD + textwrap.indent(textwrap.dedent(members), "    ")


def static(body: str, name: str = "score", takes: str = "t, submission") -> str:
    return family(f"@staticmethod\ndef {name}({takes}):\n" + textwrap.indent(body, "    "))


async def live(
    tmp_path: Path,
    module: str,
    *,
    submission: bytes = b"",
    agent: Mapping[str, Any] | None = None,
    files: Mapping[str, tuple[bytes, int]] | None = None,
    env: Mapping[str, str] | None = None,
    keep: Sequence[str] = (),
    task: str = "main",
    tasks: Sequence[str] = (),
    build: bool = False,
    **plan: Any,
) -> Lived:
    """``build``: the image's own steps first, of what is in ``files`` and the module.

    ``tasks``: these one after the other in one sandbox, as only a test does; see ``Lived.of``.
    """
    name = "trial"
    files = {f"{name}.py": (module.encode(), 0o600), **(files or {})}
    plan = {"family": name, "agent": agent or {"kind": "submission", "path": GIVEN}, **plan}
    sent = [
        source(tmp_path, DRIVER, driver().content, 0o600),
        source(tmp_path, PLAN, json.dumps(plan).encode(), 0o600),
        source(tmp_path, GIVEN, submission, 0o600),
    ]
    command = ("python3", DRIVER, "run", PLAN, task)
    if tasks:
        led = f"python3 {DRIVER} run {PLAN} $task; mv {REPORT} {REPORTS}/$task.json"
        loop = f"mkdir {REPORTS}; for task in {' '.join(tasks)}; do {led}; done"
        command = ("/bin/sh", "-c", loop)
        keep = (*keep, REPORTS)
    if build:
        archive = "/root/.evalbox/family.tar"
        sent.append(source(tmp_path, archive, _tar(files), 0o600))
        made = f"python3 {DRIVER} build {PLAN} {archive} && exec {' '.join(command)}"
        command = ("/bin/sh", "-c", made)
    else:
        sent += [source(tmp_path, f"/root/{one}", *told) for one, told in files.items()]
    async with bench("gvisor") as b:
        return await _lived(b, command, sent, env or {}, (REPORT, SUBMISSION, *keep))


async def _lived(
    b: Bench,
    command: tuple[str, ...],
    files: Sequence[SourceFile],
    env: Mapping[str, str],
    keep: tuple[str, ...],
) -> Lived:
    sandbox = await b.create(
        user="0:0", workdir="/root", limits=Limits(memory=512 * MIB), capabilities=CAPABILITIES
    )
    try:
        launch = Launch(command, "/root", env, tuple(files), artifacts=keep)
        await sandbox.prepare(launch)
        await sandbox.launch(launch)
        ran, archive = await asyncio.gather(finished(sandbox), _collected(sandbox))
    finally:
        await sandbox.destroy()
    kept, content = _unpacked(archive)
    report = json.loads(content.get(REPORT, b"{}"))
    return Lived(ran.exit.code, ran.out, ran.err.decode(), report, kept, content)


async def _collected(sandbox: Sandbox) -> bytes:
    return b"".join([piece async for piece in sandbox.artifacts()])


def _unpacked(archive: bytes) -> tuple[dict[str, tarfile.TarInfo], dict[str, bytes]]:
    kept, content = {}, {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        for member in opened:
            path = "/" + member.name.lstrip("./")
            kept[path] = member
            if member.isreg() and (file := opened.extractfile(member)) is not None:
                content[path] = file.read()
    return kept, content


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, (content, mode) in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            archive.addfile(info, io.BytesIO(content))
    return written.getvalue()
