"""What every attempt of a scheduler shares."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from evalbox.domain.clock import Clock
from evalbox.monitor.sandboxes import SandboxSampler
from evalbox.scheduler.account import AttemptMeters
from evalbox.scheduler.building import Builds
from evalbox.scheduler.pool import WarmPool
from evalbox.store.store import Store


@dataclass(frozen=True, slots=True)
class Surroundings:
    """``chance`` gives a number in [0, 1)."""

    store: Store
    pool: WarmPool
    sampler: SandboxSampler
    clock: Clock
    meters: AttemptMeters
    builds: Builds
    chance: Callable[[], float] = random.random
