"""The `timelapse` command: one module per subcommand; `main.py` holds the parser."""

EXIT_OK, EXIT_FINDINGS, EXIT_ERROR = 0, 1, 2
"""Exit codes: done and nothing found, `verify` found something, arguments or S3 or the function failed."""


class CommandFailed(Exception):
    """A command could not do its work. The message says why and what to do; it is all that the user sees."""
