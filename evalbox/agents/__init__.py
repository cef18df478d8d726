"""Ways to attempt a task: what the driver in the sandbox is told of an agent, and its files."""
