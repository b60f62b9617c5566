"""What fits into the function's memory: how large a video, and how large a photo.

Pure. Lambda kills a function that takes more memory than it was given, and then gives it the same event again. So both
sizes are limited beforehand, by figures that were measured (docs/performance.md, 'Memory').
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.keys import DIGEST, KEOGRAM, LIGHTEN
from timelapse_runtime.timelapse.model.video_size import Size

_PROCESS_BYTES = 110_000_000
"""Python, libraries and a video of 128x64, 87 MB; the rest is for the extension's process."""
_ENCODER_BYTES = 25_000_000
_ENCODER_BYTES_PER_PIXEL: Mapping[str, int] = {
    "ultrafast": 14,
    "superfast": 45,
    "veryfast": 67,
    "faster": 101,
    "fast": 134,
    "medium": 169,
    "slow": 207,
    "slower": 262,
    "veryslow": 334,
}
"""x264's, by preset: mostly the frames that it looks ahead, 10 with `veryfast` and 60 with `veryslow`."""
_DAY_PICTURE_BYTES = {KEOGRAM: 40_000_000, LIGHTEN: 40_000_000, DIGEST: 120_000_000}
"""Of a picture of the day: what is in it, samples of frames that wait for their commit, and the file while it is made.
Measured: 42 MiB of the largest picture of lights, a square one; 111 MiB of a square digest of noise."""
_LARGEST_DECODE_BYTES_PER_PIXEL = 10
"""What decoding may take before it is known what comes of it: 9.4 for a progressive JPEG in 4:4:4."""
_USUAL_BYTES_PER_PIXEL = 1.5
"""Of a decoded photo in 4:2:0."""
_DECODER_SHARE = 2
"""The decoder's own memory, as a multiple of a decoded photo: the coefficients of a progressive JPEG."""
_READ_SHARE = 0.25
"""The size of a photo as its file has it, as a fraction of its size decoded: a JPEG of good quality."""
_SMALLEST_VIDEO: Size = 640, 360
_USABLE = 0.9
"""The rest is for what is not counted: the open segment, requests, the allocator."""
_MEMORY_SIZE = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """`memory_mb` is the function's memory size in MiB, or None where it is not known: then nothing is limited.
    `decoded_photos` are decoded and not scaled, `read_photos` are not decoded yet: so many are in memory at most."""

    memory_mb: int | None
    preset: str
    decoded_photos: int
    read_photos: int
    day_pictures: Sequence[str] = ()
    """Those of each stream, by kind."""

    def video_bytes(self, size: Size) -> int:
        """What an encoder of this size takes when it is full, with the stream's pictures of the day."""
        return self._encoder_bytes(size) + _pictures_bytes(self.day_pictures)

    def process_bytes(self, size: Size) -> int:
        """What a process takes that decodes photos of this size and encodes them."""
        return _PROCESS_BYTES + self.video_bytes(size) + self.photos_bytes(math.prod(size) * _USUAL_BYTES_PER_PIXEL)

    def photos_bytes(self, decoded_bytes: float) -> int:
        """What a stream's photos take, the decoder included, if one of them takes so many bytes decoded."""
        return int(decoded_bytes * (self.decoded_photos + _DECODER_SHARE + self.read_photos * _READ_SHARE))

    def video_pixels(self, decoded_bytes: int) -> int | None:
        """The largest video beside photos of so many bytes; 640x360 at least."""
        if self.memory_mb is None:
            return None
        left = self._usable_bytes - self.photos_bytes(decoded_bytes) - self.video_bytes((0, 0))
        return max(math.prod(_SMALLEST_VIDEO), left // _ENCODER_BYTES_PER_PIXEL[self.preset])

    def takes_photo(self, decoded_bytes: int, video: Size | None) -> bool:
        """Whether photos of so many bytes fit beside a video of this size, or, without it, of the smallest size."""
        needed = self.photos_bytes(decoded_bytes) + self.video_bytes(video or _SMALLEST_VIDEO)
        return self.memory_mb is None or needed <= self._usable_bytes

    def photo_pixels(self, video: Size | None) -> int | None:
        """The largest photo that may be decoded beside a video of this size, or, without it, of the smallest size.

        Raises ConfigError if the function has too little memory for such a video with photos of its size.
        """
        if self.memory_mb is None:
            return None
        size = video or _SMALLEST_VIDEO
        usual_bytes = math.ceil(math.prod(size) * _USUAL_BYTES_PER_PIXEL)
        if not self.takes_photo(usual_bytes, size):
            needed = _PROCESS_BYTES + self.video_bytes(size) + self.photos_bytes(usual_bytes)
            advice = ", or a smaller TIMELAPSE_SIZE, or a faster TIMELAPSE_PRESET" if video else ""
            video_text = f"a video of {size[0]}x{size[1]} with preset {self.preset}"
            allowed = f"at least {math.ceil(needed / _USABLE / 1024**2) + 1} MB for {video_text}{advice}"
            raise ConfigError(_MEMORY_SIZE, str(self.memory_mb), allowed)
        return (self._usable_bytes - self.video_bytes(size)) // _LARGEST_DECODE_BYTES_PER_PIXEL

    def takes_videos(self, videos: Sequence[Size], day_pictures: Iterable[str] = ()) -> bool:
        """Whether the encoders of these videos fit together with these pictures of the day, beside photos of the
        largest one's size."""
        if self.memory_mb is None:
            return True
        photos = self.photos_bytes(max(map(math.prod, videos)) * _USUAL_BYTES_PER_PIXEL)
        encoders = sum(map(self._encoder_bytes, videos))
        return photos + encoders + _pictures_bytes(day_pictures) <= self._usable_bytes

    def _encoder_bytes(self, size: Size) -> int:
        return _ENCODER_BYTES + math.prod(size) * _ENCODER_BYTES_PER_PIXEL[self.preset]

    @property
    def _usable_bytes(self) -> int:
        assert self.memory_mb is not None
        return int(self.memory_mb * 1024**2 * _USABLE) - _PROCESS_BYTES


def _pictures_bytes(kinds: Iterable[str]) -> int:
    return sum(_DAY_PICTURE_BYTES[kind] for kind in kinds)
