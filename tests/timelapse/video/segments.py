"""Segments of a small video, as the reel writer makes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from timelapse_runtime.timelapse.model.source_frame import SourceFrame
from timelapse_runtime.timelapse.reel_writer import ReelWriter
from timelapse_runtime.timelapse.video.codec import X264Codec
from timelapse_runtime.timelapse.video.encode import EncoderSettings
from timelapse_runtime.timelapse.video.fit import Picture

SIZE = (160, 96)


COUNT = 90


def settings(**changes: object) -> EncoderSettings:
    values: dict[str, object] = {
        "width": SIZE[0],
        "height": SIZE[1],
        "fps": 30,
        "keyframe_interval": 36,
        "crf": 23,
        "preset": "veryfast",
        "threads": 1,
    }
    return EncoderSettings(**{**values, **changes})  # type: ignore[arg-type]


def write(
    pictures: Sequence[Picture], how: EncoderSettings, *, cut_every: int, kill_at: Sequence[int] = ()
) -> Iterator[tuple[int, int, bytes, bytes]]:
    """Segments (first, count, init segment, body) of a video; at each of `kill_at` all that was not cut is lost."""
    kills, done = list(kill_at), 0
    while done < len(pictures):
        writer = ReelWriter(X264Codec(), how, first_number=done)
        drain = True
        for number in range(done, len(pictures)):
            writer.append(pictures[number], SourceFrame(f"{number:03d}", number))
            if (number + 1) % cut_every == 0:
                writer.cut()
            if kills and number == kills[0]:
                kills.pop(0)
                drain = False
                break
        if drain:
            writer.cut(drain=True)
        yield from written(writer)
        done = writer.cut_number


def written(writer: ReelWriter) -> list[tuple[int, int, bytes, bytes]]:
    """Its segments: first, count, init segment, body."""
    init = writer.init_segment.body if writer.init_segment else b""
    return [(data.segment.first, data.segment.count, init, data.body) for data in writer.uncommitted()]


def video(segments: Sequence[tuple[int, int, bytes, bytes]], path: Path) -> Path:
    assert len({init for _, _, init, _ in segments}) == 1
    path.write_bytes(segments[0][2] + b"".join(body for _, _, _, body in segments))
    return path
