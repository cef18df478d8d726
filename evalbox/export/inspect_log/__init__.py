"""Evaluations in Inspect's log format, version 2, as ``inspect view`` opens it.

A log of Inspect has one task and one model. Here a log has what one agent made of one task family
in one batch; what is no family is all one task, that of its batch. See ``docs/export.md``.
"""
