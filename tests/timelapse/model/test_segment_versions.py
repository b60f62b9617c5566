"""Which segments a longer one has replaced, and from when on they may be removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.timelapse.model.test_checkpoint import REEL
from timelapse_runtime.runtime.state.contract import ObjectInfo
from timelapse_runtime.timelapse.model.checkpoint import Segment
from timelapse_runtime.timelapse.model.keys import segment_name, segment_span
from timelapse_runtime.timelapse.model.segment_versions import REPLACED_KEPT_SECONDS, SegmentVersions

KEPT_MS = REPLACED_KEPT_SECONDS * 1000
NAMED = (Segment(0, 180, "a", 1, "", ""), Segment(180, 60, "b", 1, "", ""))
IN_CHECKPOINT = {segment_name(one.first, one.count, one.attempt) for one in NAMED}


def versions(**stored_epoch_ms: int) -> SegmentVersions:
    """Those of a reel of 180 and 60 frames; names as in `s180_20_x`."""
    names = [name.removeprefix("s").split("_") for name in stored_epoch_ms]
    keys = [segment_name(int(first), int(count), attempt) for first, count, attempt in names]
    found = [ObjectInfo(key, "", 1, time) for key, time in zip(keys, stored_epoch_ms.values(), strict=True)]
    return SegmentVersions(replace(REEL, segments=NAMED), found)


def test_a_segments_name_says_its_frames() -> None:
    assert segment_span(segment_name(180, 60, "abc")) == (180, 60)
    with pytest.raises(ValueError, match=r"notes\.txt"):
        segment_span("notes.txt")


def test_time_counts_from_the_last_longer_version() -> None:
    """The next one, of 40 frames, may have lost a race: then the one of 20 was named until the one of 60 was stored."""
    found = versions(s180_20_x=0, s180_40_y=1000, s180_60_b=2000)
    assert found.strays(IN_CHECKPOINT) == []
    assert found.replaced(IN_CHECKPOINT, KEPT_MS + 1999) == []
    assert found.replaced(IN_CHECKPOINT, KEPT_MS + 2000) == ["00000180-20-x.m4s", "00000180-40-y.m4s"]


def test_a_version_that_lost_a_race_is_replaced_too() -> None:
    """Its writer had the same checkpoint as the one that committed as many frames."""
    found = versions(s180_60_b=0, s180_60_x=1)
    assert found.strays(IN_CHECKPOINT) == []
    assert found.replaced(IN_CHECKPOINT, KEPT_MS + 1) == ["00000180-60-x.m4s"]


def test_what_may_still_be_committed_is_a_stray() -> None:
    found = versions(s180_70_x=0, s240_5_x=0, s0_180_a=0)
    assert found.strays(IN_CHECKPOINT) == ["00000180-70-x.m4s", "00000240-5-x.m4s"]
    assert found.replaced(IN_CHECKPOINT, 10 * KEPT_MS) == []


def test_what_is_no_segment_is_a_stray() -> None:
    found = SegmentVersions(REEL, [ObjectInfo("video/camera/reels/x/notes.txt", "", 1, 0)])
    assert found.strays(()) == ["video/camera/reels/x/notes.txt"]
