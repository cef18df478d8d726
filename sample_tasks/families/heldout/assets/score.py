"""Run by the scorer as the user agent, in a group that may read the tests and write the log."""

import json
import sys

sys.path.insert(0, "/home/agent")
with open("/protected/tests.json") as file:
    tests = json.load(file)
right = 0
try:
    from solution import sort

    for numbers in tests:
        right += sort(list(numbers)) == sorted(numbers)
except Exception as error:
    print(f"{type(error).__name__}: {error}")
with open("/protected/score.log", "a") as log:
    log.write(json.dumps({"score": right / len(tests)}) + "\n")
