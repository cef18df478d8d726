"""The HTTP API of a Box: a FastAPI application."""
