"""A value that is refused for a reason that people can act on."""

from __future__ import annotations


class Refusal(ValueError):
    """Its text says what is wrong with a value, beyond what is allowed in general."""
