"""Where a logo is, as a setting says it: an object in S3, or a file in the function's package. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_KEY = r"[^/\x00-\x1f][^\x00-\x1f]{0,900}"
_FILE = r"[A-Za-z0-9_-][A-Za-z0-9 ._-]*"
LOGO_PATTERN = rf"(s3://[a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9]/{_KEY}\.png|{_FILE}(/{_FILE})*\.png)?"
"""What `parse_logo` takes, or nothing. No part of a file's path begins with a dot."""


@dataclass(frozen=True, slots=True)
class LogoPlace:
    """`bucket` is None for a file, whose path is `key`, from the package's root."""

    bucket: str | None
    key: str

    def __str__(self) -> str:
        return self.key if self.bucket is None else f"s3://{self.bucket}/{self.key}"


def parse_logo(text: str) -> LogoPlace | None:
    """None if it is empty."""
    if not text.startswith("s3://"):
        return LogoPlace(None, text) if text else None
    bucket, _, key = text.removeprefix("s3://").partition("/")
    return LogoPlace(bucket, key)
