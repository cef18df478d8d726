"""Kills all that it may, in the way that the argument says."""

import ctypes
import os
import signal
import sys
import time

how = sys.argv[1]
child = os.fork()
if child == 0:
    if how == "all":
        os.kill(-1, signal.SIGKILL)
    elif how == "init":
        os.kill(1, signal.SIGKILL)
    else:
        libc = ctypes.CDLL(None, use_errno=True)
        print("reboot", libc.reboot(0x1234567), os.strerror(ctypes.get_errno()), flush=True)
    os._exit(0)
_, status = os.waitpid(child, 0)
print("child", os.waitstatus_to_exitcode(status), flush=True)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGKILL)
print("outlived itself", flush=True)
