"""A stream as the commands see it."""

from __future__ import annotations

import pytest

from timelapse_runtime.cli.target import Target
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.model.location import parse_location


@pytest.mark.parametrize(
    ("folder", "stream"), [("s3://bucket/video/camera", "camera"), ("s3://bucket/camera/", "camera")]
)
def test_the_last_part_of_the_folder_is_the_streams_name(folder: str, stream: str) -> None:
    store = MemoryStore("bucket")
    assert Target(parse_location(folder), parse_location("s3://frames/"), store, store).stream == stream
