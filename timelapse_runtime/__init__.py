"""A stateful custom runtime for AWS Lambda, and the timelapse function that runs on it."""

__version__ = "0.1.0"
