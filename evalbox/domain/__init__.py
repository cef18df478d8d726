"""Pure values and rules: what an evaluation is, and what may happen to it.

Standard library only, no input or output, no clock of its own.
"""
