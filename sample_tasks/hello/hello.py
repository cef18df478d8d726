"""Says hello from Python, and where it is.

Run it with:

    evalbox run sample_tasks/hello/hello.py
    evalbox run sample_tasks/hello/hello.py Ada
"""

import os
import platform
import sys

name = sys.argv[1] if len(sys.argv) > 1 else "world"
print(f"Hello, {name}, from Python {platform.python_version()}!")
print(f"I am user {os.getuid()} in {os.getcwd()}, on kernel {platform.release()}.", file=sys.stderr)
