"""An adopted video as it will be stored, on this machine's disk until then.

So a file that turns out to be damaged near its end leaves nothing in the store, and the store is written to in one go.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from typing import Self

from timelapse_runtime.timelapse.commit_plan import SegmentData
from timelapse_runtime.timelapse.model.checkpoint import Segment
from timelapse_runtime.timelapse.reel_writer import InitSegment
from timelapse_runtime.timelapse.video.encode import EncoderSettings


class PreparedVideo(Mapping[tuple[int, int], bytes]):
    """The segments of one reel, by first frame and frame count; each is read from the disk when it is asked for.

    `settings` and `init_segment` are the reel's; `latest` is its last picture as a small JPEG. Closing it removes the
    file.
    """

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 (closed by __exit__)
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        self.segments: list[Segment] = []
        self.settings: EncoderSettings | None = None
        self.init_segment: InitSegment | None = None
        self.latest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def frame_count(self) -> int:
        """The frames of all segments."""
        return sum(segment.count for segment in self.segments)

    def add(self, data: SegmentData) -> None:
        """Add the next segment. Raises OSError if the disk is full."""
        place = self._file.seek(0, 2), len(data.body)
        self._file.write(data.body)
        self._places[data.segment.first, data.segment.count] = place
        self.segments.append(data.segment)

    def __getitem__(self, key: tuple[int, int]) -> bytes:
        start, size_bytes = self._places[key]
        self._file.seek(start)
        return self._file.read(size_bytes)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
