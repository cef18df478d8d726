"""Uses what the kernel grants to everybody: nodes of devices, and a name space of users."""

import ctypes
import json
import os
import socket
import stat

libc = ctypes.CDLL(None, use_errno=True)
DEVICES = {
    "null": (stat.S_IFCHR, 1, 3), "zero": (stat.S_IFCHR, 1, 5), "full": (stat.S_IFCHR, 1, 7),
    "random": (stat.S_IFCHR, 1, 8), "mem": (stat.S_IFCHR, 1, 1), "port": (stat.S_IFCHR, 1, 4),
    "kmsg": (stat.S_IFCHR, 1, 11), "tty": (stat.S_IFCHR, 5, 0), "kvm": (stat.S_IFCHR, 10, 232),
    "loop-control": (stat.S_IFCHR, 10, 237), "tun": (stat.S_IFCHR, 10, 200),
    "sda": (stat.S_IFBLK, 8, 0), "vda": (stat.S_IFBLK, 254, 0), "nvme": (stat.S_IFBLK, 259, 0),
    "loop0": (stat.S_IFBLK, 7, 0), "dm": (stat.S_IFBLK, 253, 0), "vdb": (stat.S_IFBLK, 252, 0),
}  # fmt: skip


def opened():
    for name, (kind, major, minor) in DEVICES.items():
        path = f"/tmp/{name}"
        try:
            os.mknod(path, kind | 0o666, os.makedev(major, minor))
            os.close(os.open(path, os.O_RDWR))
        except OSError:
            continue
        yield name


def mounted():
    os.makedirs("/tmp/mounted", exist_ok=True)
    kinds = ("tmpfs", "proc", "sysfs", "ext4", "9p", "fuse", "overlay", "devtmpfs", "cgroup")
    for kind in kinds:
        if libc.mount(b"none", b"/tmp/mounted", kind.encode(), 0, b"") == 0:
            yield kind
    for source in (b"/dev/vda", b"/tmp/vda", b"/tmp/sda"):
        if libc.mount(source, b"/tmp/mounted", b"ext4", 0, b"") == 0:
            yield source.decode()


found = {"devices": list(opened())}
user = os.getuid()
if libc.unshare(0x10000000 | 0x00020000 | 0x40000000) == 0:
    for name, line in (("uid_map", f"0 {user} 1"), ("gid_map", f"0 {os.getgid()} 1")):
        try:
            with open(f"/proc/self/{name}", "w") as file:
                file.write(line)
        except OSError:
            continue
found["mounted"] = list(mounted())
found["interfaces"] = [name for _, name in socket.if_nameindex()]
with open("/proc/version") as file:
    found["version"] = file.read()
print(json.dumps(found))
