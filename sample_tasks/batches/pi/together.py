"""The reduce step of the batch pi: makes one estimate of what all of the others counted.

What they left is in /in: results.json says which directory has the files of which.
"""

import json
from pathlib import Path

hits = thrown = 0
for result in json.loads(Path("/in/results.json").read_text()):
    if result["outcome"] != "ok":
        print(f"{result['task']} by {result['agent']}: {result['outcome']}")
        continue
    counted = json.loads(Path(result["directory"], "artifacts", "hits.json").read_text())
    hits, thrown = hits + counted["hits"], thrown + counted["thrown"]
estimate = 4 * hits / thrown
Path("pi.txt").write_text(f"{estimate}\n")
Path("score.json").write_text(json.dumps({"score": estimate, "message": f"of {thrown} darts"}))
print(f"pi is about {estimate}")
