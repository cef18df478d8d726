"""The live feed: the log of events, read once for all who follow it."""
