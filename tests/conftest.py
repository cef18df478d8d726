"""Which worker gets which tests (``--dist loadgroup``), and of which coverage is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says more of the machine and of other workers than of the code.
settings.register_profile("evalbox", deadline=None)
settings.load_profile("evalbox")

HERE = Path(__file__).parent
#: What begins sandboxes by Docker is one group, so one worker's: two of them would disturb what
#: the other measures, and a machine with two cores has no room for both.
SANDBOXES = "sandboxes"
_MARKS = ("docker", "gvisor")
#: Longest first, so that no worker is left alone with a long file at the end.
_TIERS = ("sandboxes", "api", "e2e", "integration", "tui", "property", "packaging", "unit")
#: Tracing doubles the time that the tests of the API need, and does not see the processes of e2e.
_UNTRACED = ("api", "abuse", "e2e")


# First, since the plugin of the workers reads the marks in the same hook.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Puts each test into a group: that of the sandboxes, or its file, whose fixtures it shares.

    Coverage is taken of all but the tiers of ``_UNTRACED``.
    """
    if config.pluginmanager.hasplugin("pytest_cov"):
        for item in items:
            if item.path.parent.name in _UNTRACED:
                item.add_marker(pytest.mark.no_cover)
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    items.sort(key=_order)


def group_of(item: pytest.Item) -> str:
    """The name of the group; a mark, or a fixture named like one, tells who needs Docker."""
    fixtures = getattr(item, "fixturenames", ())
    if any(item.get_closest_marker(name) or name in fixtures for name in _MARKS):
        return SANDBOXES
    return item.path.relative_to(HERE).as_posix()


def _order(item: pytest.Item) -> int:
    group = group_of(item)
    tier = group.partition("/")[0]
    return _TIERS.index(tier) if tier in _TIERS else 0
