"""The codecs that a reel can have, and what a quality that is named for its purpose means in each of them. Pure.

`fast` costs the least processor time, `balanced` gives smaller files for a few times of that, `archive` is for a video
that is kept and encoded once. In one quality, the codecs look alike (docs/render.md has the measurements).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

H264, H265, AV1 = "h264", "h265", "av1"
"""H.264 is the codec of what is recorded; a closed reel can be rendered in all of them."""
CODEC_NAMES = H264, H265, AV1
FAST = "fast"


class Quality(NamedTuple):
    """`preset` has x264's names in every codec; `crf` counts by the codec's own scale."""

    preset: str
    crf: int


QUALITIES: Mapping[str, Mapping[str, Quality]] = {
    FAST: {H264: Quality("veryfast", 23), H265: Quality("veryfast", 25), AV1: Quality("veryfast", 38)},
    "balanced": {H264: Quality("medium", 21), H265: Quality("fast", 23), AV1: Quality("fast", 32)},
    "archive": {H264: Quality("slow", 18), H265: Quality("medium", 20), AV1: Quality("slow", 25)},
}


def codec_named(name: str) -> str:
    """The codec that playlists call so, such as `avc1.64001F`. Reels of earlier versions have no name, and are
    H.264."""
    return {"hvc1": H265, "av01": AV1}.get(name.partition(".")[0], H264)
