"""Asks the kernel for what a job has no business with; prints the name and the answer of each."""

import ctypes
import errno
import os
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
BUFFER = ctypes.create_string_buffer(4096)
NOWHERE = b"/home/agent/nowhere"
os.makedirs(NOWHERE, exist_ok=True)

CALLS = {
    "mount tmpfs": (165, b"none", NOWHERE, b"tmpfs", 0, 0),
    "mount proc": (165, b"proc", NOWHERE, b"proc", 0, 0),
    "bind /": (165, b"/", NOWHERE, 0, 4096, 0),
    "remount /": (165, 0, b"/", 0, 32, 0),
    "umount /tmp": (166, b"/tmp", 2),
    "pivot_root": (155, NOWHERE, NOWHERE),
    "chroot": (161, NOWHERE),
    "unshare user": (272, 0x10000000),
    "unshare mount": (272, 0x00020000),
    "unshare pid": (272, 0x20000000),
    "unshare net": (272, 0x40000000),
    "mknod char": (133, NOWHERE + b"/null", 0o020666, os.makedev(1, 3)),
    "mknod block": (133, NOWHERE + b"/sda", 0o060666, os.makedev(8, 0)),
    "setns": (308, os.open("/proc/1/ns/pid", os.O_RDONLY), 0),
    "io_uring_setup": (425, 8, BUFFER),
    "bpf": (321, 0, BUFFER, 48),
    "perf_event_open": (298, BUFFER, 0, -1, -1, 0),
    "userfaultfd": (323, 0),
    "keyctl": (250, 0, -3, 1),
    "add_key": (248, b"user", b"name", BUFFER, 8, -3),
    "init_module": (175, BUFFER, 8, b""),
    "finit_module": (313, 0, b"", 0),
    "kexec_load": (246, 0, 0, 0, 0),
    "iopl": (172, 3),
    "ioperm": (173, 0, 8, 1),
    "swapon": (167, NOWHERE, 0),
    "settimeofday": (164, BUFFER, 0),
    "clock_settime": (227, 0, BUFFER),
    "sethostname": (170, b"mine", 4),
    "acct": (163, NOWHERE),
    "quotactl": (179, 0, b"/dev/sda", 0, BUFFER),
    "open_by_handle_at": (304, -100, BUFFER, 0),
    "setuid 0": (105, 0),
    "setgid 0": (106, 0),
    "process_vm_readv of 1": (310, 1, BUFFER, 1, BUFFER, 1, 0),
    "ptrace of 1": (101, 16, 1, 0, 0),
    "ptrace of nobody": (101, 16, 99999, 0, 0),
    "reboot": (169, 0xFEE1DEAD, 672274793, 0x1234567, 0),
    "syslog clear": (103, 5, 0, 0),
}  # fmt: skip


def ask(name):
    """In a child, so that what is granted to one does not help the next."""
    number, *arguments = CALLS[name]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *arguments)
    code = ctypes.get_errno()
    return "granted" if result >= 0 else errno.errorcode.get(code, str(code))


for name in CALLS:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        print(f"{name}: {ask(name)}", flush=True)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        print(f"{name}: child ended with {status}", flush=True)
print("alive", os.getpid(), flush=True)
