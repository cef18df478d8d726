"""Counts at an even pace up to the number in the argument, one line each."""

import sys
import time

for number in range(int(sys.argv[1])):
    print(f"line {number}", flush=True)
    time.sleep(0.1)
