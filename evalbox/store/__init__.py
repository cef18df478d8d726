"""The database and the files beside it: the only package that knows SQL."""
