"""What deploy-check has to say: one thing that would go wrong, where it stands, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """An error, or (`is_error` False) a word of advice.

    `where` in the template or the package, `what` is wrong there, `remedy` a sentence for a person.
    """

    where: str
    what: str
    remedy: str
    is_error: bool = True

    def __str__(self) -> str:
        return f"{'error' if self.is_error else 'note'}: {self.where}: {self.what}\n    {self.remedy}"
