"""Playlists, derived from the checkpoint alone (the ranges in a closed reel's `video.mp4` also from its size).

| playlist | what it lists |
|---|---|
| `reels/<reel>/index.m3u8` | the reel's closed segments; it only grows, and ends when the reel does |
| `live.m3u8` | the same at a fixed address, over all reels: the segments of earlier ones slide out |
| `video.m3u8` | all frames of the newest reel so far, with an end: the open segment too |
| `main.m3u8` | `video.m3u8`, with its size, codec and greatest bit rate |
| `reels/<reel>/video.m3u8` | a closed reel, as ranges of its `video.mp4` |
| `week.m3u8` | the closed reels of seven days, as ranges |

The first four are None while there is no segment: players fail for good at an empty playlist.

Source: RFC 8216 (August 2017). A playlist of type EVENT may only get lines appended (4.3.3.5, 6.2.1); TARGETDURATION
must not change and covers the longest segment (4.3.3.1, 6.2.1); no segment is removed if less than three target
durations would be left, and a removed discontinuity is counted (6.2.2).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

from timelapse_runtime.timelapse.model.checkpoint import Checkpoint, Reel, ReelTail, Segment
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.model.keys import segment_name

CONTENT_TYPE = "application/vnd.apple.mpegurl"
LEFT_OUT = "#left-out:"
"""Begins a comment, which holds a `LeftOut` as JSON."""
_LEAST_TARGET_DURATIONS = 3


def index_playlist(reel: Reel) -> bytes | None:
    """`reels/<reel>/index.m3u8`: the closed segments of one reel. Each version begins with the one before."""
    if not reel.closed_segments:
        return None
    folder = f"{reel.edition}/" if reel.edition else ""
    lines = [*_head(reel), "#EXT-X-PLAYLIST-TYPE:EVENT", "#EXT-X-MEDIA-SEQUENCE:0"]
    lines += [f'#EXT-X-MAP:URI="{folder}init.mp4"', *_entries(reel, reel.closed_segments, folder)]
    if reel.is_closed:
        lines.append("#EXT-X-ENDLIST")
    return _text(lines)


def video_playlist(reel: Reel) -> bytes | None:
    """`video.m3u8`: each version is a whole video, which a later flush replaces by a longer one.

    What was left out is in comments, which players pass over (section 4.1): the watch page shows it.
    """
    if not reel.segments:
        return None
    folder = f"reels/{reel.path}/"
    lines = [*_head(reel), *_VOD, f'#EXT-X-MAP:URI="{folder}init.mp4"']
    times = CaptureTimes()
    for segment in reel.segments:
        lines += [*times.tags(segment), *_entries(reel, [segment], folder)]
    lines += [f"{LEFT_OUT}{note.to_json()}" for note in reel.left_out]
    return _text([*lines, "#EXT-X-ENDLIST"])


def main_playlist(reel: Reel) -> bytes | None:
    """`main.m3u8`, a multivariant playlist with one variant (4.3.4.2). It changes when a reel begins with another size
    or codec, and when the greatest bit rate of a segment doubles: that is rounded up to a power of two."""
    if not reel.segments:
        return None
    # An open segment has its keyframe, and not all of the small frames after it: its bit rate still falls.
    segments = reel.closed_segments or reel.segments
    bits_per_second = max(segment.size_bytes * 8 / _seconds(reel, [segment]) for segment in segments)
    attributes = [
        f"BANDWIDTH={1 << math.ceil(math.log2(bits_per_second))}",
        *([f'CODECS="{reel.codecs}"'] if reel.codecs else []),
        f"RESOLUTION={reel.width}x{reel.height}",
        f"FRAME-RATE={reel.fps:.3f}",
    ]
    return _text([*_START, f"#EXT-X-STREAM-INF:{','.join(attributes)}", "video.m3u8"])


def week_playlist(reels: Sequence[tuple[Reel, bytes]]) -> bytes:
    """`week.m3u8`: closed reels in a row, each with its `ranges_playlist`, oldest first. At least one.

    The range of each init segment is all of it. Without it ffmpeg (5.1, 8.1) asks for the init segment of the second
    reel with the range of the segment before, and waits for ever for the bytes that are missing.
    """
    target, lines, newest_date = 0, list[str](), ""
    for reel, playlist in reels:
        folder = f"reels/{reel.name}/"
        lines += ["#EXT-X-DISCONTINUITY"] if lines else []
        for line in playlist.decode().splitlines():
            tag, _, value = line.partition(":")
            if tag == "#EXT-X-TARGETDURATION":
                target = max(target, int(value))
            elif tag == "#EXT-X-MAP":
                init = f"reels/{reel.path}/init.mp4"
                lines.append(f'#EXT-X-MAP:URI="{init}",BYTERANGE="{reel.init_size_bytes}@0"')
            elif tag in ("#EXTINF", "#EXT-X-BYTERANGE") or (tag == "#EXT-X-PROGRAM-DATE-TIME" and value > newest_date):
                lines.append(line)
                newest_date = value if tag == "#EXT-X-PROGRAM-DATE-TIME" else newest_date
            elif not line.startswith("#"):
                lines.append(folder + line)
    return _text([*_START, f"#EXT-X-TARGETDURATION:{target}", *_VOD, *lines, "#EXT-X-ENDLIST"])


def ranges_playlist(reel: Reel, head_size_bytes: int) -> bytes:
    """`reels/<reel>/video.m3u8` of a closed reel, whose `video.mp4` has `head_size_bytes` before its segments."""
    folder = f"{reel.edition}/" if reel.edition else ""
    lines = [*_head(reel), *_VOD, f'#EXT-X-MAP:URI="{folder}init.mp4"']
    times, offset = CaptureTimes(), head_size_bytes
    for segment in reel.segments:
        lines += [*times.tags(segment), _duration_tag(reel, segment)]
        lines += [f"#EXT-X-BYTERANGE:{segment.size_bytes}@{offset}", f"{folder}video.mp4"]
        offset += segment.size_bytes
    return _text([*lines, "#EXT-X-ENDLIST"])


def earlier_index_playlist(reel: Reel) -> bytes:
    """`index.m3u8` of a reel that an earlier version closed: ranges of a `video.mp4` that begins with the init
    segment."""
    start = _START[:2], _head(reel)[-1:], _START[2:], _VOD
    lines = [*itertools.chain(*start), f'#EXT-X-MAP:URI="video.mp4",BYTERANGE="{reel.init_size_bytes}@0"']
    offset = reel.init_size_bytes
    for segment in reel.segments:
        lines += [_duration_tag(reel, segment), f"#EXT-X-BYTERANGE:{segment.size_bytes}@{offset}", "video.mp4"]
        offset += segment.size_bytes
    return _text([*lines, "#EXT-X-ENDLIST"])


def live_playlist(checkpoint: Checkpoint) -> bytes | None:
    """`live.m3u8`. It has no type, so that the next reel can take the place of this one: until that has three target
    durations, the end of the reel before stays, behind which a discontinuity comes."""
    parts: list[Reel | ReelTail] = [*checkpoint.tail]
    if checkpoint.reel is not None and checkpoint.reel.closed_segments:
        parts.append(checkpoint.reel)
    if not parts:
        return None
    lines = _head(*parts)
    lines += [
        f"#EXT-X-MEDIA-SEQUENCE:{parts[0].first_sequence}",
        f"#EXT-X-DISCONTINUITY-SEQUENCE:{parts[0].discontinuity}",
    ]
    for number, part in enumerate(parts):
        folder = f"reels/{part.path}/"
        lines += ["#EXT-X-DISCONTINUITY"] if number else []
        lines.append(f'#EXT-X-MAP:URI="{folder}init.mp4"')
        lines += _entries(part, _listed(part), folder)
    return _text(lines)


def tail_before(reel: Reel | None, old: Checkpoint | None) -> tuple[ReelTail, ...]:
    """The tail of the checkpoint that follows `old` and holds `reel`: of earlier reels, the last segments that are
    needed to have three target durations in `live.m3u8`, with the closed segments of `reel`."""
    if old is None or old.reel is None or reel is None:
        return old.tail if old else ()
    parts = [*old.tail, *(() if old.reel.name == reel.name else _as_tail(old.reel))]
    target = max([_target_seconds(reel), *map(_target_seconds, parts)])
    wanted = _LEAST_TARGET_DURATIONS * target - _seconds(reel, reel.closed_segments)
    kept: list[ReelTail] = []
    for part in reversed(parts):
        first = len(part.segments)
        while first and wanted > 0:
            first -= 1
            wanted -= _seconds(part, part.segments[first : first + 1])
        if part.segments[first:]:
            kept.append(replace(part, segments=part.segments[first:], first_sequence=part.first_sequence + first))
    return tuple(reversed(kept))


class CaptureTimes:
    """The EXT-X-PROGRAM-DATE-TIME tags of one playlist: when the first photo of each segment was taken.

    Only playlists with an end have them. Shaka (5.2, tried in November 2026) takes the times of a playlist that grows
    for places on its timeline, where a minute lies between two segments of two seconds.

    A time that is not later than those before it is left out: players look segments up by these times, and clocks of
    cameras are set back. Section 4.3.2.6 asks for no tag at any segment.
    """

    def __init__(self) -> None:
        self._newest_epoch_ms = 0

    def tags(self, segment: Segment) -> list[str]:
        """The tag of the next segment, if it has one."""
        if segment.captured_epoch_ms <= self._newest_epoch_ms:
            return []
        self._newest_epoch_ms = segment.captured_epoch_ms
        moment = datetime.fromtimestamp(segment.captured_epoch_ms / 1000, UTC)
        return [f"#EXT-X-PROGRAM-DATE-TIME:{moment.isoformat(timespec='milliseconds').removesuffix('+00:00')}Z"]


_START = ("#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS")
_VOD = ("#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-MEDIA-SEQUENCE:0")


def _as_tail(reel: Reel) -> Iterator[ReelTail]:
    """All of a reel's segments, without what a playlist does not say."""
    segments = tuple(replace(segment, last_key="", out_of_order=(), photos="") for segment in reel.closed_segments)
    if segments:
        numbers = reel.fps, reel.keyframe_interval, reel.first_sequence, reel.discontinuity
        yield ReelTail(reel.name, *numbers, segments, reel.edition)


def _listed(part: Reel | ReelTail) -> tuple[Segment, ...]:
    return part.segments if isinstance(part, ReelTail) else part.closed_segments


def _seconds(part: Reel | ReelTail, segments: Sequence[Segment]) -> Fraction:
    return Fraction(sum(segment.ticks for segment in segments), part.fps * TICKS_PER_FRAME)


def _target_seconds(part: Reel | ReelTail) -> int:
    return math.ceil(part.keyframe_interval / part.fps)


def _head(*parts: Reel | ReelTail) -> list[str]:
    target = max(map(_target_seconds, parts))
    return [*_START, f"#EXT-X-TARGETDURATION:{target}"]


def _entries(part: Reel | ReelTail, segments: Iterable[Segment], folder: str) -> Iterator[str]:
    for segment in segments:
        yield _duration_tag(part, segment)
        yield f"{folder}segments/{segment_name(segment.first, segment.count, segment.attempt)}"


def _duration_tag(part: Reel | ReelTail, segment: Segment) -> str:
    return f"#EXTINF:{float(_seconds(part, [segment])):.6f},"


def _text(lines: Iterable[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
