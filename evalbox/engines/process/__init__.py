"""Runs commands as plain processes of this host, with **no isolation at all**.

A command can read and change whatever the user that runs evalbox can. It is for development on a
machine without containers, and only ever used where it is asked for by name.

What stands for a container is a private directory. The paths of files, of artifacts and the
working directory lie beneath it: ``/home/agent/x`` is ``DIRECTORY/home/agent/x``. A word of the
command that is exactly the path of a file that was put in, or the working directory, is translated;
what a program opens by itself (``open("/data")``) is not. ``EVALBOX_ROOT`` holds the directory,
``HOME`` the working directory.

``Profile.image``, ``user``, ``network``, ``cpus`` and ``pids`` mean nothing here. ``memory`` is
watched, twice a second, as the sum over all processes; each of them alone cannot map much more.
``disk`` bounds each file. A process that leaves its session and clears its environment gets away.
"""

from __future__ import annotations

from evalbox.engines.process.engine import ProcessEngine

__all__ = ["ProcessEngine"]
