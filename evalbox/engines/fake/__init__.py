"""An engine without containers: deterministic, in memory, for tests, the demo and dry runs.

What a command does is interpreted (see ``language``), so nothing of it is ever really run. The
sandboxes live in a ``FakeHost``, which outlives the engine as a Docker engine outlives its client.
"""

from __future__ import annotations

from evalbox.engines.fake.engine import FakeEngine, FakeSandbox
from evalbox.engines.fake.host import FakeHost
from evalbox.engines.fake.language import interpret, pretend

__all__ = ["FakeEngine", "FakeHost", "FakeSandbox", "interpret", "pretend"]
