"""S3's notification: the function reads back what was uploaded."""

from __future__ import annotations

import pytest

from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse.events import FrameHint, parse_event


@pytest.mark.parametrize("key", ["frames/camera/000001.jpg", "a b+c%20d/é&=.jpg", "frames/camera/☃.png"])
def test_the_function_reads_the_key_that_was_uploaded(key: str) -> None:
    assert parse_event(object_created_event("bucket", key)).frames == (FrameHint("bucket", key),)


def test_each_key_has_a_record() -> None:
    frames = parse_event(object_created_event("bucket", "a", "b")).frames
    assert [frame.key for frame in frames] == ["a", "b"]


def test_size_and_etag_are_there_if_they_are_known() -> None:
    (record,) = object_created_event("bucket", "a", size_bytes=0, etag='"e"')["Records"]
    assert record["s3"]["object"] == {"key": "a", "size": 0, "eTag": "e"}
    (record,) = object_created_event("bucket", "a")["Records"]
    assert record["s3"]["object"] == {"key": "a"}
