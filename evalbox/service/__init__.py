"""Box: the one interface that every front end uses."""
