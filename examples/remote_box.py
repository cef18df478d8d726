"""Uses a box elsewhere: what runs there is followed from here, and goes on when this ends.

    EVALBOX_URL=http://box:8420 EVALBOX_KEY=evb_... python examples/remote_box.py

Without an address it is the box of this machine.
"""

import sys

from evalbox import Box
from evalbox.sdk import EvalboxError

PROGRAM = """
import time

for step in range(3):
    print("step", step, flush=True)
    time.sleep(0.2)
"""

try:
    with Box() as box:
        host = box.host()
        print(f"evalbox {host.version}, {host.slots} slots")
        # With a key for it, a program that is started again finds its evaluation.
        handle = box.submit(PROGRAM, language="py", idempotency_key="remote-example")
        for piece in handle.logs():
            sys.stdout.write(piece.data.decode(errors="replace"))
        print(handle.result().outcome)
except EvalboxError as error:
    sys.exit(f"{error.message}\n{error.hint}")
