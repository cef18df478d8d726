"""The terminal: mission control for the evaluations of a Box. It knows only ``Box``."""
