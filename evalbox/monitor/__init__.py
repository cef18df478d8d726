"""What the host and the sandboxes use, sampled at a bounded rate."""
