"""Evaluations in forms that other programs read."""
