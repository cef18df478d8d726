"""The only package that knows containers."""
