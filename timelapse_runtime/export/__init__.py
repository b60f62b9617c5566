"""A stream's video as people want to have it: its state, pictures of it, parts of it as files. Never deployed."""
