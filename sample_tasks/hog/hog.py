"""Takes all it can get of one thing, until its limit stops it.

Run it with:

    evalbox run --memory 64m sample_tasks/hog/hog.py memory        # out_of_memory
    evalbox run --timeout 5s sample_tasks/hog/hog.py cpu           # timeout
    evalbox run --disk 16m sample_tasks/hog/hog.py disk            # disk_limit
    evalbox run --output-limit 1m sample_tasks/hog/hog.py output   # output_limit
    evalbox run --pids 32 sample_tasks/hog/hog.py forks            # refused inside, exit status 3
"""

import os
import sys
import time

BLOCK = 1 << 20


def memory() -> None:
    held = []
    while True:
        held.append(bytearray(os.urandom(BLOCK)))
        print(f"{len(held)} MiB", flush=True)


def cpu() -> None:
    while True:
        pass


def disk() -> None:
    count = 0
    while True:
        with open(f"hog-{count}", "wb") as file:
            file.write(os.urandom(BLOCK))
        count += 1
        print(f"{count} MiB", flush=True)


def output() -> None:
    while True:
        print("hog " * 1000)


def forks() -> None:
    count = 0
    try:
        while True:
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
            count += 1
    except OSError as error:
        print(f"after {count} processes: {error}")
        sys.exit(3)


HOGS = {"memory": memory, "cpu": cpu, "disk": disk, "output": output, "forks": forks}

if len(sys.argv) != 2 or sys.argv[1] not in HOGS:
    sys.exit(f"name what to take: {', '.join(HOGS)}")
HOGS[sys.argv[1]]()
