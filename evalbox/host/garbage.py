"""Python's collector of garbage, for a process that is to answer at any moment."""

from __future__ import annotations

import gc

#: New objects between collections of the young; Python's own number is 700.
_YOUNG = 20_000


def settle() -> None:
    """What has been loaded stays, so it is not looked through again.

    A full collection would hold the event loop up for as long as a request takes ten times: all
    modules, types and schemas are some hundred thousand objects.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])
