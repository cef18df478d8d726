"""Experiments: tasks x agents x epochs out of one file, run, resumed, reduced."""
