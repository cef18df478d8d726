"""Runs the queue: claims, admits, starts, supervises, retries, recovers."""
