"""A throw-away box full of made-up evaluations, for screenshots, for talks and to look around in.

Nothing of it is ever really run: the evaluations are played by the fake engine. All else is the
real thing: the queue, the scheduler, the store, and what watches them.
"""
