"""Runs a hundred programs, as many at once as the box has room for, with a line of progress.

python examples/many_in_parallel.py [HOW_MANY]
"""

import sys
from collections import Counter

from evalbox import Box

PROGRAM = """
import random, sys, time

random.seed(int(sys.argv[1]))
time.sleep(random.random() / 10)
sys.exit(random.random() < 0.2)
"""

total = int(sys.argv[1]) if len(sys.argv) > 1 else 100
seeds = [{"source": PROGRAM, "arguments": [str(seed)]} for seed in range(total)]
outcomes: Counter[str] = Counter()

with Box() as box:
    for done, result in enumerate(box.map(seeds, language="py", batch="seeds", timeout=60), 1):
        outcomes[result.outcome] += 1
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
        print(f"\r{done} of {total}: {counts}", end="", flush=True)
    print()
