"""A Box over HTTP."""
