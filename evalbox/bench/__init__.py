"""Measures this machine: sandboxes beside a bare Engine API loop, the scheduler, the service.

What is compared is run in turn within one run, so that a machine whose speed drifts slows both
sides alike; medians and ratios are what to quote.
"""
