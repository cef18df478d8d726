"""METR Task Standard families: what is read of them on the host, and what runs them in a sandbox.

A family is never imported on the host. Its whole life is led by ``inside``, a program of its own
that is the sandbox's main process.
"""
