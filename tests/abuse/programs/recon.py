"""Prints all that /proc and its like tell."""

import glob
import os
import subprocess
import sys

PATHS = [
    "/proc/*/environ", "/proc/*/cmdline", "/proc/*/mountinfo", "/proc/*/cgroup", "/proc/*/maps",
    "/proc/*/status", "/proc/cpuinfo", "/proc/meminfo", "/proc/cmdline", "/proc/version",
    "/proc/mounts", "/proc/filesystems", "/proc/net/*", "/proc/sys/kernel/*", "/proc/keys",
    "/proc/kallsyms", "/proc/partitions", "/proc/modules", "/proc/sched_debug", "/proc/loadavg",
    "/sys/class/dmi/id/*", "/sys/kernel/*", "/sys/block/*", "/sys/class/net/*",
    "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/machine-id", "/.dockerenv",
    "/run/secrets/*", "/var/run/*",
]  # fmt: skip

for pattern in PATHS:
    for path in sorted(glob.glob(pattern)):
        print(f"== {path}", flush=True)
        try:
            with open(path, "rb") as file:
                sys.stdout.buffer.write(file.read(20_000).replace(b"\0", b"\n"))
        except OSError as error:
            print(error.strerror)
for command in (["dmesg"], ["env"], ["uname", "-a"], ["mount"], ["df"], ["id"], ["ls", "-la", "/"]):
    print("==", *command, flush=True)
    subprocess.run(command, stderr=subprocess.STDOUT, check=False)
print("parent", os.getppid())
