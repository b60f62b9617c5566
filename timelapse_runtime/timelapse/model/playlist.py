"""Playlists, derived from the checkpoint alone.

Source: RFC 8216 (August 2017). An EVENT playlist may only grow (4.3.3.5); TARGETDURATION must not change and
covers the longest segment (4.3.3.1); media sequence numbers never decrease (6.2.2).
"""

from __future__ import annotations

import math

from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment
from timelapse_runtime.timelapse.model.keys import segment_name

CONTENT_TYPE = "application/vnd.apple.mpegurl"


def index_playlist(reel: Reel) -> bytes:
    """`index.m3u8`: the closed segments of one reel. A closed reel's points into `video.mp4` by byte ranges."""
    kind = "VOD" if reel.is_closed else "EVENT"
    lines = [*_head(reel), f"#EXT-X-PLAYLIST-TYPE:{kind}", "#EXT-X-MEDIA-SEQUENCE:0"]
    if reel.is_closed:
        lines.append(f'#EXT-X-MAP:URI="video.mp4",BYTERANGE="{reel.init_size_bytes}@0"')
        offset = reel.init_size_bytes
        for segment in reel.segments:
            lines += [_duration(reel, segment), f"#EXT-X-BYTERANGE:{segment.size_bytes}@{offset}", "video.mp4"]
            offset += segment.size_bytes
        lines.append("#EXT-X-ENDLIST")
    else:
        lines.append('#EXT-X-MAP:URI="init.mp4"')
        for segment in reel.closed_segments:
            lines += [_duration(reel, segment), _segment_uri(segment)]
    return _text(lines)


def live_playlist(reel: Reel) -> bytes:
    """`live.m3u8`: the current reel at a fixed address. No EVENT type: the next reel takes its place, and then
    the sequence numbers run on, as if the earlier reel's segments had slid out."""
    lines = [
        *_head(reel),
        f"#EXT-X-MEDIA-SEQUENCE:{reel.first_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{reel.number - 1}",
        f'#EXT-X-MAP:URI="reels/{reel.name}/init.mp4"',
    ]
    for segment in reel.closed_segments:
        lines += [_duration(reel, segment), f"reels/{reel.name}/{_segment_uri(segment)}"]
    return _text(lines)


def _head(reel: Reel) -> list[str]:
    target = math.ceil(reel.keyframe_interval / reel.fps)
    return ["#EXTM3U", "#EXT-X-VERSION:7", f"#EXT-X-TARGETDURATION:{target}", "#EXT-X-INDEPENDENT-SEGMENTS"]


def _duration(reel: Reel, segment: Segment) -> str:
    return f"#EXTINF:{segment.count / reel.fps:.6f},"


def _segment_uri(segment: Segment) -> str:
    return f"segments/{segment_name(segment.first, segment.count, segment.attempt)}"


def _text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
