"""Fills the disk in the way that the argument says, and tells what stopped it."""

import os
import signal
import sys
import time

BLOCK = b"x" * (1 << 20)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def one_file(path):
    written = 0
    with open(path, "wb", buffering=0) as file:
        try:
            while True:
                written += file.write(BLOCK)
        except OSError as error:
            print(f"{path}: {error.strerror} after {written >> 20} MiB", flush=True)


def many_files(directory, size):
    number = 0
    while True:
        with open(f"{directory}/{number}", "wb", buffering=0) as file:
            for _ in range(size):
                file.write(BLOCK)
        number += 1


def churn(directory, times):
    for _ in range(times):
        path = f"{directory}/churned"
        with open(path, "wb", buffering=0) as file:
            for _ in range(10):
                file.write(BLOCK)
        os.unlink(path)
    print("churned", flush=True)


def crowd(directory):
    number = 0
    while number < 10_000_000:
        os.close(os.open(f"{directory}/{number}", os.O_CREAT | os.O_WRONLY))
        number += 1


match sys.argv[1:]:
    case ["one", pause]:
        one_file("big")
        time.sleep(float(pause))
        sys.exit(1)
    case ["memory"]:
        for place in ("/tmp", "/dev/shm"):
            try:
                many_files(place, 4)
            except OSError as error:
                print(f"{place}: {error.strerror}", flush=True)
            for name in os.listdir(place):
                os.unlink(f"{place}/{name}")
    case ["many"]:
        many_files(".", 4)
    case ["hidden"]:
        held = []
        for number in range(1000):
            held.append(open(f"hidden{number}", "wb", buffering=0))
            os.unlink(f"hidden{number}")
            for _ in range(4):
                held[-1].write(BLOCK)
    case ["sparse"]:
        with open("sparse", "wb") as file:
            try:
                os.truncate(file.fileno(), 1 << 40)
            except OSError as error:
                print(error.strerror, flush=True)
    case ["churn"]:
        churn(".", 12)
    case ["crowd"]:
        crowd(".")
