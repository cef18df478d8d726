"""Domain values as JSON documents, and back: the same for CLI, API and API client."""
