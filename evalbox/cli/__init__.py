"""The command line: click commands on a Box."""
