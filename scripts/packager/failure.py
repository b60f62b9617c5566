"""Why a package can't be built."""

from __future__ import annotations


class PackageFailed(Exception):
    """The message says what is missing or wrong, and what helps."""
