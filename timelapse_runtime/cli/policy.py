"""`timelapse policy`: the IAM policy of whoever uploads, operates or watches, with what they need and no more.

    camera     puts photos into its own folder; it can write over its own photos, and cannot read, list or delete
    operator   verify, inspect, export, watch, retry-rejected, render, remove, backfill and run, on both places
    viewer     reads and lists the videos, of all streams or of one

The statements that allow listings have the condition s3:prefix, as the templates' role has: StringLikeIfExists,
because a missing object is 404, and not 403, only to who may list, and whether s3:prefix is known when S3 decides
between the two is not documented. So a listing that names no prefix at all is allowed as well: it shows the bucket's
keys, and no contents.

Sources: IAM user guide, 'Grammar of the IAM JSON policy language' and 'Variables and tags' (special characters), and
KMS developer guide, 'kms:ViaService', read November 2026.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.cli.permissions import (
    READ_FRAMES,
    READ_QUEUE,
    READ_WITH_KEY,
    UPLOAD,
    WRITE_VIDEO,
    WRITE_WITH_KEY,
)
from timelapse_runtime.timelapse.model.location import Location

Statement: TypeAlias = dict[str, Any]

_SUFFIXES = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}
"""The names of each partition's hosts end so. Source: botocore's partitions.json; a test compares them."""

_NEEDS = {"camera": {"stream"}, "operator": {"video"}, "viewer": set[str]()}
_TAKES = {"camera": {"stream"}, "operator": {"video", "queue"}, "viewer": {"stream"}}
_SPELLED = {"video": "VIDEO", "stream": "--stream", "queue": "--queue"}


def run(options: argparse.Namespace, _variables: Mapping[str, str]) -> int:
    """Print the policy; the exit code. Raises CommandFailed if the arguments do not fit the role."""
    _check(options)
    # Escaped as ASCII: IAM takes no characters above U+00FF in a document as they are.
    print(json.dumps(policy(options), indent=None if options.json else 2))
    return EXIT_OK


def policy(options: argparse.Namespace) -> dict[str, Any]:
    """The document, as JSON has it."""
    arn = _Arns(options.partition)
    place = options.place
    if options.stream is not None:
        place = Location(place.bucket, f"{place.prefix}{options.stream}/")
    if options.role == "camera":
        statements = [_statement("UploadPhotos", UPLOAD, arn.objects(place))]
    elif options.role == "viewer":
        statements = [arn.listing("ListVideo", place), _statement("ReadVideo", ("s3:GetObject",), arn.objects(place))]
    else:
        statements = [
            arn.listing("ListFrames", options.place),
            _statement("ReadFrames", READ_FRAMES, arn.objects(options.place)),
            arn.listing("ListVideo", options.video),
            _statement("WriteVideo", WRITE_VIDEO, arn.objects(options.video)),
        ]
    if options.queue is not None:
        statements.append(_statement("ReadQueue", READ_QUEUE, options.queue))
    if options.kms_key is not None:
        actions = READ_WITH_KEY if options.role == "viewer" else WRITE_WITH_KEY
        via = {"StringEquals": {"kms:ViaService": _s3_host(options.kms_key)}}
        statements.append({**_statement("UseKey", actions, options.kms_key), "Condition": via})
    return {"Version": "2012-10-17", "Statement": statements}


class _Arns:
    """Resources in one partition."""

    def __init__(self, partition: str) -> None:
        self._s3 = f"arn:{partition}:s3:::"

    def objects(self, place: Location) -> str:
        return f"{self._s3}{place.bucket}/{_literal(place.prefix)}*"

    def listing(self, sid: str, place: Location) -> Statement:
        condition = {"StringLikeIfExists": {"s3:prefix": f"{_literal(place.prefix)}*"}}
        return {**_statement(sid, ("s3:ListBucket",), self._s3 + place.bucket), "Condition": condition}


def _statement(sid: str, actions: Sequence[str], resource: str) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": list(actions), "Resource": resource}


def _literal(text: str) -> str:
    """`text` in a resource or a condition, where `*` and `?` are wildcards and `$` begins a variable."""
    return re.sub(r"[*?$]", r"${\g<0>}", text)


def _s3_host(key: str) -> str:
    """What kms:ViaService says of S3 in the key's region, which is that of the bucket."""
    _, partition, _, region, *_ = key.split(":")
    return f"s3.{region}.{_SUFFIXES[partition]}"


def _check(options: argparse.Namespace) -> None:
    if problems := list(_problems(options)):
        raise CommandFailed(f"policy {options.role}: {problems[0]}")


def _problems(options: argparse.Namespace) -> Iterator[str]:
    """What does not fit the role."""
    role = options.role
    for name, spelled in _SPELLED.items():
        is_given = getattr(options, name) is not None
        if name in _NEEDS[role] and not is_given:
            yield f"{spelled} is missing"
        if is_given and name not in _TAKES[role]:
            yield f"{spelled} is not for this role"
    for option, arn in (("--kms-key", options.kms_key), ("--queue", options.queue)):
        if arn is not None and not arn.startswith(f"arn:{options.partition}:"):
            yield f"{option} is not in the partition {options.partition}: name its own by --partition"
    if options.video is not None and options.video.contains(options.place):
        yield (
            f"who may write videos in {options.video} could delete the photos in {options.place}: "
            "name a folder that is not around them, or another bucket"
        )
