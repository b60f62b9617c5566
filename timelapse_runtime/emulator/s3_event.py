"""S3's notification of uploads, as the function gets it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus


def object_created_event(
    bucket: str, *keys: str, size_bytes: int | None = None, etag: str | None = None
) -> dict[str, Any]:
    """One notification with a record per key (S3 user guide, 'Event message structure', version 2.1).

    `size_bytes` and `etag` (with or without quotes) go into each record; None leaves the field out.
    """
    known = {"size": size_bytes, "eTag": None if etag is None else etag.strip('"')}
    optional = {name: value for name, value in known.items() if value is not None}
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": now,
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "local",
                    "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                    "object": {"key": quote_plus(key, safe="/"), **optional},
                },
            }
            for key in keys
        ]
    }
