"""Leaves files to keep: a table and a picture of it, in out/.

Run it with:

    evalbox run --artifact out sample_tasks/artifacts/artifacts.py
    evalbox run --artifact out --artifacts-dir here sample_tasks/artifacts/artifacts.py
"""

import csv
import math
import os

POINTS = [(x / 10, math.sin(x / 10)) for x in range(63)]

os.makedirs("out", exist_ok=True)
with open("out/sine.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["x", "sin(x)"])
    writer.writerows((f"{x:.1f}", f"{y:.4f}") for x, y in POINTS)

line = " ".join(f"{10 + 60 * x:.1f},{100 - 80 * y:.1f}" for x, y in POINTS)
with open("out/sine.svg", "w") as file:
    file.write(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 200">'
        '<rect width="400" height="200" fill="white"/>'
        f'<polyline points="{line}" fill="none" stroke="steelblue" stroke-width="2"/></svg>\n'
    )
print(f"{len(POINTS)} points in out/sine.csv and out/sine.svg")
