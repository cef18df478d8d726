"""Throws darts at a square, and counts those that hit the circle in it; the seed is SEED.

It is the first half of a batch:

    evalbox batch run sample_tasks/batches/pi.yaml
"""

import json
import os
import random
import sys
from pathlib import Path

thrown = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
dice = random.Random(os.environ.get("SEED", "0"))
hits = sum(dice.random() ** 2 + dice.random() ** 2 <= 1 for _ in range(thrown))
Path("hits.json").write_text(json.dumps({"hits": hits, "thrown": thrown}))
print(f"{hits} of {thrown} hit")
