"""The directory of a sandbox: what goes in, what it takes up, and how it goes."""

from __future__ import annotations

import os
import posixpath
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from evalbox.engines.base import SourceFile
from evalbox.engines.spawn import host_environment
from evalbox.errors import EngineError


def beneath(root: Path, path: str, workdir: str = "/") -> Path:
    """Where ``path`` in the sandbox is on the host. Never outside ``root``."""
    inside = posixpath.normpath(posixpath.join("/", workdir, path))
    return root / inside.lstrip("/")


def put(root: Path, workdir: str, files: Iterable[SourceFile]) -> None:
    """Copies files in. What they are copied from is never shared with the command."""
    for file in files:
        target = beneath(root, file.path, workdir)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file.source, target)
        target.chmod(file.mode)


def size(root: Path) -> int:
    """Bytes on disk of everything beneath ``root``. Follows no link."""
    total = 0
    directories = [os.fspath(root)]
    while directories:
        try:
            with os.scandir(directories.pop()) as entries:
                for entry in entries:
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        directories.append(entry.path)
        except OSError:
            continue
    return total


def remove(directory: Path) -> None:
    """Removes a tree, however deep, and whatever its permissions are. Fine when it is gone."""
    # shutil.rmtree recurses, and so ends at a depth that a command can easily make.
    for repair in (False, True):
        if repair:
            _run("chmod", "-R", "u+rwX", directory)
        if _run("rm", "-rf", directory) == 0:
            return
    if os.path.lexists(directory):
        raise EngineError(f"{directory}: could not be removed", hint=f"as root: rm -rf {directory}")


def _run(*words: str | Path) -> int:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=host_environment()
    )
    return done.returncode
