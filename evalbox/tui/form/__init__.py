"""The form of a new evaluation: what is typed into it, and its own widgets."""
