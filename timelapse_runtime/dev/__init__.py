"""The `timelapse-runtime` command: a function under development in a local Lambda environment. Never deployed."""
