"""Runs a batch, and has the box reduce it to one number, even if this program ends meanwhile."""

import time

from evalbox import Box

SUM = """
import json, pathlib
results = json.load(open("/in/results.json"))
print(sum(int(pathlib.Path(one["directory"], "stdout").read_text()) for one in results))
"""

with Box() as box:
    batch = f"squares-{time.time():.0f}"
    box.submit_many(
        [{"source": f"print({n} ** 2)", "labels": {"n": str(n)}} for n in range(1, 5)],
        language="py", memory="128m", timeout="1m", batch=batch,
    )  # fmt: skip
    step = {"source": SUM, "language": "py", "memory": "128m", "timeout": "1m"}
    box.plan_batch(batch, reduce=step)
    for event in box.feed(after=0, batch=batch):
        if event.kind == "batch.reduced":
            break
    reduction = box.batch(batch).reduction
    if reduction is None or reduction.evaluation_id is None:
        raise SystemExit("it was not reduced")
    print(box.get(reduction.evaluation_id).result().text, end="")
