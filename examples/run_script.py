"""Runs a script in a fresh sandbox, and tells how it ended and what it left.

python examples/run_script.py
"""

from evalbox import Box

PROGRAM = """
import json, sys

numbers = [int(line) for line in open("numbers.txt")]
print("sum", sum(numbers))
print("this goes to standard error", file=sys.stderr)
json.dump({"sum": sum(numbers)}, open("answer.json", "w"))
"""

with Box(on_note=print) as box:
    result = box.run(
        PROGRAM,
        language="py",
        files={"numbers.txt": "1\n2\n39\n"},
        artifacts=["answer.json"],
        memory="256m",
        timeout="1m",
    )
    print(result.outcome, result.exit_code)
    print(result.text, end="")
    for artifact in result.artifacts:
        print(artifact.path, box.read_artifact(result.id, artifact.path).decode())
