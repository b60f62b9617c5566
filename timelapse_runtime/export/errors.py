"""Why nothing can be exported, in a sentence for the user."""

from __future__ import annotations


class CannotExport(Exception):
    """The selection, the format or the file is not possible. The message says why, and what to do."""
