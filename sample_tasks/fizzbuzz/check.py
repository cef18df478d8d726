"""Checks a solution of FizzBuzz; exits with 0 if it is right and with 1 if it is not.

The solution goes in beside the checker, as solution.py:

    evalbox run --file sample_tasks/fizzbuzz/solution.py sample_tasks/fizzbuzz/check.py
    evalbox run --file sample_tasks/fizzbuzz/wrong.py:solution.py sample_tasks/fizzbuzz/check.py

With --score score.json, the share that is right is the score, and what was checked stands beside.
"""

import json
import sys
from pathlib import Path

try:
    from solution import fizzbuzz
except ImportError as error:
    sys.exit(f"no solution to check: {error}")

EXPECTED = {1: "1", 2: "2", 3: "Fizz", 5: "Buzz", 6: "Fizz", 7: "7", 10: "Buzz", 15: "FizzBuzz"}
EXPECTED |= {15 * n: "FizzBuzz" for n in range(2, 7)}

checks = {}
for number, expected in EXPECTED.items():
    found = fizzbuzz(number)
    check = {"passed": found == expected}
    if found != expected:
        check["detail"] = f"{found!r}, not {expected!r}"
        print(f"fizzbuzz({number}) is {check['detail']}")
    checks[f"fizzbuzz({number})"] = check
right = sum(check["passed"] for check in checks.values())
print(f"{right} of {len(checks)} right")
Path("score.json").write_text(json.dumps({"score": right / len(checks), "checks": checks}))
sys.exit(0 if right == len(checks) else 1)
