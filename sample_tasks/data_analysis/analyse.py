"""Reads a table of measurements and prints what is in it, with the standard library alone.

Run it with:

    evalbox run --file sample_tasks/data_analysis/temperatures.csv \
        sample_tasks/data_analysis/analyse.py temperatures.csv
    evalbox run --stdin sample_tasks/data_analysis/temperatures.csv \
        sample_tasks/data_analysis/analyse.py
"""

import csv
import statistics
import sys
from collections import defaultdict

source = sys.argv[1] if len(sys.argv) > 1 else sys.stdin.fileno()
by_city = defaultdict(list)
with open(source, newline="") as file:
    for row in csv.DictReader(file):
        by_city[row["city"]].append((float(row["celsius"]), row["date"]))
if not by_city:
    sys.exit("there is nothing in the table")

print(f"{'city':<12} {'n':>3} {'mean':>6} {'median':>6} {'stdev':>6}  warmest")
for city, measured in sorted(by_city.items()):
    values = [value for value, _ in measured]
    warmest, day = max(measured)
    mean, median = statistics.mean(values), statistics.median(values)
    spread = f"{mean:>6.1f} {median:>6.1f} {statistics.stdev(values):>6.1f}"
    print(f"{city:<12} {len(values):>3} {spread}  {warmest:.1f} on {day}")
