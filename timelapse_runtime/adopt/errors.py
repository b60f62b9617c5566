"""What cannot be adopted, and why."""

from __future__ import annotations


class CannotAdopt(Exception):
    """There is nothing that could be adopted, or nowhere to. The message says why and what to do."""


class CannotCopy(Exception):
    """The packets cannot be a reel as they are; encoded again, the pictures can. The message is the reason."""
