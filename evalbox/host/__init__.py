"""Which box is meant, and serving it: a box elsewhere, one that runs here, or one of our own."""
