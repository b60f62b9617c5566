"""JPEGs that the project writes itself, judged by the photo decoder."""

from __future__ import annotations

import av

from tests.photos import plane_array
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.jpeg import JpegEncoder


def test_rgba_becomes_a_full_range_jpeg_of_the_same_size_and_colour() -> None:
    encoder = JpegEncoder(34, 18, qscale=2)
    white, red = (encoder.encode_rgba(bytes(colour) * (34 * 18)) for colour in ((255, 255, 255, 0), (255, 0, 0, 0)))
    decoder = PhotoDecoder(maximum_pixels=10_000)
    for body, expected in ((white, (255, 128, 128)), (red, (76, 85, 255))):  # JFIF 1.02: full range, BT.601
        with av.logging.Capture() as messages:
            frame = decoder.decode(body).frame
        assert messages == []
        assert (frame.width, frame.height, frame.format.name) == (34, 18, "yuvj420p")
        for index, value in enumerate(expected):
            plane = plane_array(frame, index)
            assert abs(int(plane.min()) - value) <= 2
            assert abs(int(plane.max()) - value) <= 2


def test_a_lower_quality_makes_a_smaller_file() -> None:
    pixels = bytes(range(256)) * (64 * 64 * 4 // 256)
    good, bad = (JpegEncoder(64, 64, qscale=qscale).encode_rgba(pixels) for qscale in (2, 20))
    assert len(bad) < len(good)
