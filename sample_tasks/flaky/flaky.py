"""Fails by chance, every second time unless told otherwise: something to retry.

Run it with:

    evalbox run --retries 5 sample_tasks/flaky/flaky.py
    evalbox run --repeat 10 sample_tasks/flaky/flaky.py 0.9
"""

import random
import sys

chance = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
if random.random() < chance:
    print("not this time")
    sys.exit(1)
print("it worked")
