"""What deploy-check reports."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """An error, or (`is_error` False) advice: its place in the template or an archive, and what to do about it."""

    where: str
    what: str
    remedy: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.is_error else 'note'}: {self.where}: {self.what}\n    {self.remedy}"
