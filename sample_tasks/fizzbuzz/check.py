"""Checks a solution of FizzBuzz; exits with 0 if it is right and with 1 if it is not.

The solution goes in beside the checker, as solution.py:

    evalbox run --file sample_tasks/fizzbuzz/solution.py sample_tasks/fizzbuzz/check.py
    evalbox run --file sample_tasks/fizzbuzz/wrong.py:solution.py sample_tasks/fizzbuzz/check.py
"""

import sys

try:
    from solution import fizzbuzz
except ImportError as error:
    sys.exit(f"no solution to check: {error}")

EXPECTED = {1: "1", 2: "2", 3: "Fizz", 5: "Buzz", 6: "Fizz", 7: "7", 10: "Buzz", 15: "FizzBuzz"}
EXPECTED |= {15 * n: "FizzBuzz" for n in range(2, 7)}

wrong = 0
for number, expected in EXPECTED.items():
    found = fizzbuzz(number)
    if found != expected:
        wrong += 1
        print(f"fizzbuzz({number}) is {found!r}, not {expected!r}")
print(f"{len(EXPECTED) - wrong} of {len(EXPECTED)} right")
sys.exit(1 if wrong else 0)
