"""The stream's state as values: no I/O, no clock, no randomness of its own."""
