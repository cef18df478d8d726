"""Task formats: what a path on the host means, and what a sandbox does with it."""
