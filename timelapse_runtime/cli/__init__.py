"""The `timelapse` command: one module per subcommand; `main.py` holds the parser."""

EXIT_OK, EXIT_FINDINGS, EXIT_ERROR = 0, 1, 2
"""Exit codes: done and nothing found, `verify` found damage, arguments or S3 or the function failed."""
EXIT_INTERRUPTED = 130
"""What a shell reports for a command that SIGINT ended."""
EXIT_LEFT_OUT, EXIT_NOTHING_THERE = 3, 4
"""Exit codes of `verify` alone: some photos are rejected or ignored, there is nothing to check."""


class CommandFailed(Exception):
    """A command could not do its work. The message says why and what to do; it is all that the user sees."""
