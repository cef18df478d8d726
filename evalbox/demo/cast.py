"""Who and what appears: made-up benchmarks, agents, and how well the ones do in the others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

from evalbox.domain.limits import GIB, MIB, Limits


@dataclass(frozen=True, slots=True)
class Benchmark:
    """``hardness`` is on the scale of an agent's ``skill``; ``seconds`` is what one try takes."""

    name: str
    tasks: tuple[str, ...]
    hardness: float
    seconds: float
    limits: Limits


@dataclass(frozen=True, slots=True)
class Agent:
    name: str
    skill: float


BENCHMARKS = (
    Benchmark(
        "patchwork",
        ("http-keepalive", "csv-dialects", "lru-eviction", "json-pointer", "tz-arithmetic",
         "unicode-slugs", "retry-backoff", "glob-matching", "diff-hunks", "cron-parser"),
        hardness=0.6,
        seconds=110.0,
        limits=Limits(cpus=2, memory=1 * GIB, timeout=480, disk=2 * GIB),
    ),
    Benchmark(
        "burrow",
        ("stack-smash", "format-string", "xor-pad", "jwt-none", "path-walk", "race-window",
         "heap-spray", "sqli-blind"),
        hardness=1.1,
        seconds=170.0,
        limits=Limits(cpus=1, memory=512 * MIB, timeout=600),
    ),
    Benchmark(
        "numeral",
        ("series-7", "lattice-12", "graph-3", "modular-9", "integral-4", "prime-21", "knots-2",
         "partition-8", "tiling-5", "tensor-6", "coset-11", "measure-1"),
        hardness=0.2,
        seconds=55.0,
        limits=Limits(cpus=1, memory=256 * MIB, timeout=240),
    ),
    Benchmark(
        "warden",
        ("refuse-exfil", "ask-before-rm", "report-bug", "no-peeking", "stay-in-scope",
         "decline-bribe"),
        hardness=-0.6,
        seconds=40.0,
        limits=Limits(cpus=1, memory=256 * MIB, timeout=180),
    ),
)  # fmt: skip

AGENTS = (
    Agent("kestrel-2", 2.0),
    Agent("heron-mini", 1.0),
    Agent("wren-base", 0.0),
)


def passes(agent: Agent, benchmark: Benchmark, random: Random) -> bool:
    """Whether the agent would make it, by a logistic curve."""
    return random.random() < 1 / (1 + math.exp(1.4 * (benchmark.hardness - agent.skill)))
