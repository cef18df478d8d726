"""evalbox: a durable queue and gVisor sandboxes for evaluations, on one machine.

``from evalbox import Box`` is the way in for Python programs; ``evalbox.sdk`` has all its names.
"""

__version__ = "0.1.0"

_SDK = ("AsyncBox", "Box")


def __getattr__(name: str) -> object:
    """Loads the SDK when it is first asked for: the command line never does."""
    if name not in _SDK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("evalbox.sdk"), name)
