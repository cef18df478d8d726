"""Engines by name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evalbox.domain.engine import ENGINES
from evalbox.engines.base import Engine
from evalbox.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class _Options:
    docker_host: str
    state_dir: Path


def make_engine(name: str, *, docker_host: str = "", state_dir: Path | None = None) -> Engine:
    """The engine of that name; what it needs is imported only now.

    ``docker_host`` empty means ``DOCKER_HOST`` or Docker's default. ``state_dir`` is where the
    process engine keeps its sandboxes (default: a directory of this user for temporary files).
    Never another engine than the one asked for: raises ``InvalidInput`` that lists those known.
    """
    if name not in _MAKERS:
        raise InvalidInput(
            f"no engine {name!r}", hint=f"engines are: {', '.join(ENGINES)}", field="engine"
        )
    return _MAKERS[name](_Options(docker_host, state_dir or _default_state_dir()))


def _default_state_dir() -> Path:
    return Path(tempfile.gettempdir()) / f"evalbox-processes-{os.getuid()}"


def _gvisor(options: _Options) -> Engine:
    from evalbox.engines.docker import DockerEngine

    return DockerEngine("gvisor", docker_host=options.docker_host or None)


def _runc(options: _Options) -> Engine:
    from evalbox.engines.docker import DockerEngine

    return DockerEngine("runc", docker_host=options.docker_host or None)


def _process(options: _Options) -> Engine:
    from evalbox.engines.process import ProcessEngine

    return ProcessEngine(options.state_dir)


def _fake(_: _Options) -> Engine:
    from evalbox.engines.fake import FakeEngine

    return FakeEngine()


_MAKERS: dict[str, Callable[[_Options], Engine]] = {
    "gvisor": _gvisor,
    "runc": _runc,
    "process": _process,
    "fake": _fake,
}
