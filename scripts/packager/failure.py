"""The error of the packager."""

from __future__ import annotations


class PackageFailed(Exception):
    """A package cannot be built. The message says what is missing or wrong, and what to do."""
