"""The parts that screens are made of. None knows a Box."""
