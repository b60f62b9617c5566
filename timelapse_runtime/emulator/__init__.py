"""A Lambda environment, an S3 server and a sample scene for a developer's machine. Never deployed."""
