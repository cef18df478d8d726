"""The program that leads a family's task through its life, inside the sandbox.

It is sent there as one archive and knows nothing of the rest of evalbox: the standard library of
Python 3.11 is all that it has. It runs as root; every operation on the family is a process of its
own, and the agent is another user's.
"""
