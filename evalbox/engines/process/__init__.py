"""Runs commands as plain processes of this host, with **no isolation at all**.

A command can read and change whatever the user that runs evalbox can. It is for development on a
machine without containers, and only ever used where it is asked for by name.

What stands for a container is a private directory. The paths of files, of artifacts and the working
directory lie beneath it: ``/home/agent/x`` is ``DIRECTORY/home/agent/x``. A word of the command that
is exactly such a path is translated; what a program writes out by itself (``open("/data")``) is not.
``EVALBOX_ROOT`` holds the directory, ``HOME`` the working directory. ``Profile.image``, ``user``,
``network``, ``cpus`` and ``pids`` mean nothing here; ``memory`` bounds each process, and is watched
as a sum twice a second; ``disk`` bounds each file.
"""

from __future__ import annotations

from evalbox.engines.process.engine import ProcessEngine

__all__ = ["ProcessEngine"]
