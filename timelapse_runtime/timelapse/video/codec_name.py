"""The name of a video's codec as playlists have it, such as `avc1.64001F`.

Source: RFC 6381 (August 2011), clause 3.3; ISO/IEC 14496-15, 5.3.3 (avcC: version, then profile, constraints, level).
"""

from __future__ import annotations

from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.video.boxes import child_box

_STSD_HEADER_BYTES, _SAMPLE_ENTRY_BYTES = 8, 78


def codec_name(init_segment: bytes) -> str:
    """Of an init segment with one H.264 track; empty for any other."""
    try:
        stsd = child_box(init_segment, "moov", "trak", "mdia", "minf", "stbl", "stsd")
        entry = child_box(stsd[_STSD_HEADER_BYTES:], "avc1")
        config = child_box(entry[_SAMPLE_ENTRY_BYTES:], "avcC")
    except SegmentCorrupt:
        return ""
    return f"avc1.{config[1:4].hex().upper()}"
