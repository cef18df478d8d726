"""How all tests are run: which worker gets which (``-n``), and of which coverage is taken."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more of the machine and of other workers than of the code.
settings.register_profile("evalbox", deadline=None)
settings.load_profile("evalbox")

ROOT = Path(__file__).parents[1]
#: What begins sandboxes by Docker is one group, so one worker's, and the last one, so that it has
#: the machine to itself: limits of time are tested, and sandboxes give way to everything else.
SANDBOXES = "sandboxes"
_ABUSE = "tests/abuse/"
_WITH_DOCKER = re.compile(r"mark\.(docker|gvisor)\b|import .*\b(docker|standard)_support\b"
                          r"|from (docker|standard)_support\b")  # fmt: skip
#: Tracing doubles the time that the tests of the API need, and does not see the processes of e2e.
_UNTRACED = ("api", "abuse", "e2e")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Sandboxes come last. Coverage is taken of all but the tiers of ``_UNTRACED``."""
    items.sort(key=lambda item: group_of(item.path.relative_to(ROOT).as_posix()) == SANDBOXES)
    if config.pluginmanager.hasplugin("pytest_cov"):
        for item in items:
            if item.path.parent.name in _UNTRACED:
                item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Whole files to a worker, which share their fixtures; all that need Docker to one.

    ``--dist loadgroup`` would do the same by marks, which pytest 9.2 keeps from pytest-xdist 3.8.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid.partition("::")[0])

    return ByFile(config, log)


@cache
def group_of(file: str) -> str:
    """The group of a file, whose path is from the root; its text tells whether it needs Docker."""
    sandboxes = file.startswith(_ABUSE) or _WITH_DOCKER.search((ROOT / file).read_text("utf-8"))
    return SANDBOXES if sandboxes else file
