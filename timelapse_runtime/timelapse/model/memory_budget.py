"""What fits into the function's memory: how large a video, and how large a photo.

Pure. Lambda kills a function that takes more memory than it was given, and then gives it the same event again. So both
sizes are limited beforehand, by figures that were measured (docs/performance.md, 'Memory').
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from timelapse_runtime.timelapse.errors import ConfigError
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
_DECODED_BYTES_PER_PIXEL = 3
"""Of a decoded photo: 4:4:4 or RGB. The usual 4:2:0 has half of that, 16 bits a sample twice."""
_READ_BYTES_PER_PIXEL = 0.5
"""Of a photo as its file has it: a JPEG of good quality."""
_DECODER_BYTES_PER_PIXEL = 6
"""Of the decoder: the coefficients of a progressive JPEG in 4:4:4."""
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

    @property
    def photo_bytes_per_pixel(self) -> float:
        """What the photos of a stream take, with the decoder."""
        decoded = self.decoded_photos * _DECODED_BYTES_PER_PIXEL
        return _DECODER_BYTES_PER_PIXEL + decoded + self.read_photos * _READ_BYTES_PER_PIXEL

    def video_bytes(self, size: Size) -> int:
        """What an encoder of this size takes when it is full."""
        return _ENCODER_BYTES + size[0] * size[1] * _ENCODER_BYTES_PER_PIXEL[self.preset]

    def video_pixels(self, photo_pixels: int) -> int | None:
        """The largest video beside photos of so many pixels; 640x360 at least."""
        if self.memory_mb is None:
            return None
        left = self._usable_bytes - photo_pixels * self.photo_bytes_per_pixel - _ENCODER_BYTES
        return max(math.prod(_SMALLEST_VIDEO), int(left // _ENCODER_BYTES_PER_PIXEL[self.preset]))

    def photo_pixels(self, video: Size | None) -> int | None:
        """The largest photo for a video of the size `video`, or, without it, for one that may be as small as need be.

        Raises ConfigError if the function has too little memory for such a video.
        """
        if self.memory_mb is None:
            return None
        size = video or _SMALLEST_VIDEO
        pixels = int((self._usable_bytes - self.video_bytes(size)) // self.photo_bytes_per_pixel)
        if pixels < math.prod(size):
            needed = self._memory_mb_for(size)
            advice = ", or a smaller TIMELAPSE_SIZE, or a faster TIMELAPSE_PRESET" if video else ""
            allowed = f"at least {needed} MB for a video of {size[0]}x{size[1]} with preset {self.preset}{advice}"
            raise ConfigError(_MEMORY_SIZE, str(self.memory_mb), allowed)
        return pixels

    def takes(self, videos: Sequence[Size]) -> bool:
        """Whether the encoders of these videos fit together, beside photos of the largest one's size."""
        if self.memory_mb is None:
            return True
        photos = max(math.prod(size) for size in videos) * self.photo_bytes_per_pixel
        return photos + sum(map(self.video_bytes, videos)) <= self._usable_bytes

    @property
    def _usable_bytes(self) -> int:
        assert self.memory_mb is not None
        return int(self.memory_mb * 1024**2 * _USABLE) - _PROCESS_BYTES

    def _memory_mb_for(self, size: Size) -> int:
        """The memory size that is enough for a video of this size and photos like it."""
        needed = _PROCESS_BYTES + self.video_bytes(size) + math.prod(size) * self.photo_bytes_per_pixel
        return math.ceil(needed / _USABLE / 1024**2) + 1
