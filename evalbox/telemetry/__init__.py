"""What evalbox tells of its own work."""
