"""Hostile jobs on real gVisor: each module has a box of its own, with a witness in it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aftermath as common
import pytest
import pytest_asyncio
import traces


@pytest.fixture(scope="session", autouse=True)
def gvisor() -> None:
    """Skips where there is no engine to be hostile to."""
    try:
        runtimes = traces.docker().info()["Runtimes"]
        traces.docker().inspect_image(common.IMAGE)
    except Exception as error:
        pytest.skip(f"no Docker engine with {common.IMAGE}: {error}")
    if "evalbox-gvisor" not in runtimes:
        pytest.skip("Docker has no runtime evalbox-gvisor")


@pytest.fixture(scope="session", autouse=True)
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A place for temporary files in which nobody else puts any."""
    before = tempfile.tempdir
    tempfile.tempdir = str(tmp_path_factory.mktemp("temporary"))
    yield
    tempfile.tempdir = before


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def aftermath(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[common.Aftermath]:
    """Runs a job, then checks what must hold after every one of them."""
    directory: Path = tmp_path_factory.mktemp("abuse")
    async with common.opened(directory / "box") as made:
        yield made
