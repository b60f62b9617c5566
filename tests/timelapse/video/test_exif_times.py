"""When a photo was taken, from the EXIF blocks that Pillow writes into files of each type."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from tests.timelapse.video.test_exif import exif, scene
from tests.world import World
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.model.capture_time import CameraTime
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.exif import UPRIGHT, camera_times, orientation
from timelapse_runtime.timelapse.video.metadata import Metadata

DATE_TIME, EXIF_DIRECTORY = 0x0132, 0x8769
ORIGINAL, DIGITIZED, OFFSET, OFFSET_ORIGINAL, FRACTION_ORIGINAL = 0x9003, 0x9004, 0x9010, 0x9011, 0x9291
KINDS = ["JPEG", "PNG", "WEBP", *(["AVIF"] if features.check("avif") else [])]


def block(main: dict[int, str], details: dict[int, str]) -> Image.Exif:
    written = Image.Exif()
    written.update(main)
    written.get_ifd(EXIF_DIRECTORY).update(details)
    return written


WHOLE = block(
    {DATE_TIME: "2024:05:03 00:00:00"},
    {
        ORIGINAL: "2024:05:01 12:34:56",
        FRACTION_ORIGINAL: "78",
        OFFSET_ORIGINAL: "+02:00",
        DIGITIZED: "2024:05:02 00:00:00",
        OFFSET: "+03:00",
    },
)
TIMES = (
    CameraTime("2024:05:01 12:34:56", "78", "+02:00"),
    CameraTime("2024:05:02 00:00:00"),
    CameraTime("2024:05:03 00:00:00", "", "+03:00"),
)


def photo(kind: str, written: Image.Exif) -> bytes:
    file = io.BytesIO()
    Image.fromarray(scene()).save(file, kind, exif=written)
    return file.getvalue()


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_all_types_tell_when_they_were_taken(kind: str) -> None:
    assert PhotoDecoder(maximum_pixels=10**7).decode(photo(kind, WHOLE)).times == TIMES


def test_a_tiff_file_is_an_exif_block_itself() -> None:
    """Pillow writes its first directory alone."""
    written = PhotoDecoder(maximum_pixels=10**7).decode(photo("TIFF", WHOLE))
    assert written.times == (CameraTime("2024:05:03 00:00:00"),)


def test_what_is_missing_is_left_out() -> None:
    assert camera_times(b"") == ()
    assert camera_times(exif(6)) == ()
    assert camera_times(block({DATE_TIME: "noon"}, {}).tobytes()[6:]) == (CameraTime("noon"),)
    assert camera_times(block({}, {DIGITIZED: "noon"}).tobytes()[6:]) == (CameraTime("noon"),)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [4, 13])
def test_both_byte_orders_and_both_types_of_pointers_are_read(order: str, kind: int) -> None:
    text = b"2024:05:01 12:34:56\0"
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", 8)
    main = struct.pack(f"{order}HHHIII", 1, EXIF_DIRECTORY, kind, 1, 26, 0)
    details = struct.pack(f"{order}HHHIII", 1, ORIGINAL, 2, len(text), 44, 0)
    assert camera_times(head + main + details + text) == (CameraTime("2024:05:01 12:34:56"),)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_damage_is_no_error(noise: bytes, position: int) -> None:
    whole = WHOLE.tobytes()[6:]
    damaged = whole[:position] + noise + whole[position + len(noise) :]
    assert len(camera_times(damaged)) <= 3
    assert UPRIGHT <= orientation(Metadata(exif=damaged)) <= 8


def test_the_video_names_both_times_of_a_photo() -> None:
    world = World()
    function = world.environment(order="arrival")
    world.deliver(function, world.upload(0, photo("JPEG", WHOLE)))
    world.deliver(function, world.upload(1, key="20240501_140000.jpg"))
    world.deliver(function, world.upload(2, key="z.jpg"))
    world.sweep(function, drain=True)
    (reel,) = world.reels()
    bodies = [world.video.get(segment_key(world.keys, reel, segment)).body for segment in reel.segments]
    sources = [one for body in bodies for part in read_provenance(body) for one in part.frames]
    assert [one.taken_epoch_ms for one in sources] == [1_714_559_696_780, 1_714_572_000_000, None]
    assert [one.uploaded_epoch_ms for one in sources] == sorted(one.uploaded_epoch_ms for one in sources)
    assert reel.date == "2024-05-01"
