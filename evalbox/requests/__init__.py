"""What is to be run, as people ask for it: read and checked once for CLI, SDK and screen."""
