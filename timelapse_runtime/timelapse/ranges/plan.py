"""Photos in order to ranges that are encoded apart. Pure.

A range has whole groups of pictures, so that segments lie where one encoder for all photos would put them: the next
range begins where that encoder has a keyframe. That also holds behind the start of a reel, if it can be known before
the photos are read: by a day in their keys, by the day of their upload if keys tell none, or by a reel's largest
length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.model.capture_time import taken_epoch_ms
from timelapse_runtime.timelapse.model.checkpoint import MAXIMUM_REEL_FRAMES
from timelapse_runtime.timelapse.model.reel_day import ReelDay
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

_RANGE_PHOTOS = 180
"""About as many, if the keyframe interval allows. An encoder that begins costs about 11 frames' time of lookahead."""


def range_length(keyframe_interval: int) -> int:
    """Photos in a full range."""
    return keyframe_interval * max(1, round(_RANGE_PHOTOS / keyframe_interval))


def ranges(photos: Iterable[SourceFrame], config: Config) -> Iterator[list[SourceFrame]]:
    """`photos`, which are in order, as ranges: none empty, all photos, in order. As lazy as `photos`."""
    length, day = range_length(config.keyframe_interval), ReelDay(config.timezone)
    taken: list[SourceFrame] = []
    reel_count = 0
    for photo in photos:
        told = taken_epoch_ms((), photo.key, photo.uploaded_epoch_ms, config.timezone)
        dated = replace(photo, taken_epoch_ms=told)
        is_full = reel_count == MAXIMUM_REEL_FRAMES
        begins_reel = day.day is None or is_full or (config.reel == "day" and day.ends_before(dated))
        if taken and (begins_reel or len(taken) == length):
            yield taken
            taken = []
        if begins_reel:
            day.begin(day.of(dated))
            reel_count = 0
        day.add(dated)
        taken.append(photo)
        reel_count += 1
    if taken:
        yield taken
