"""A place in S3, as configuration and commands name it."""

from __future__ import annotations

import re
from dataclasses import dataclass

LOCATION_PATTERN = r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([\s\S]*))?"


@dataclass(frozen=True, slots=True)
class Location:
    """A place in S3: everything in `bucket` whose key begins with `prefix` (empty, or ending with a slash)."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def contains(self, other: Location) -> bool:
        """Whether `other` lies in this place or is it."""
        return self.bucket == other.bucket and other.prefix.startswith(self.prefix)


def parse_location(text: str) -> Location:
    """`s3://BUCKET/PREFIX`, with a slash at the end where there is a prefix. Raises ValueError."""
    match = re.fullmatch(LOCATION_PATTERN, text)
    if match is None:
        raise ValueError(text)
    prefix = match[2] or ""
    return Location(match[1], prefix if not prefix or prefix.endswith("/") else prefix + "/")
