"""That a service does not look through what it has loaded again and again."""

from __future__ import annotations

import subprocess
import sys


def test_what_is_loaded_is_set_aside() -> None:
    code = (
        "import gc; from evalbox.host.garbage import settle; before = gc.get_threshold()[0];"
        "settle(); print(gc.get_freeze_count() > 1000, gc.get_threshold()[0] > before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
