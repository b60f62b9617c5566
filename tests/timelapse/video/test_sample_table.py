"""The head that makes an ordinary MP4 of fragments, as another decoder sees it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import fragments
from tests.photos import read_number
from tests.probe import ffmpeg_lumas, ffmpeg_numbers, ffprobe_frames
from tests.programs import require_program
from tests.timelapse.video.segments import COUNT, settings, write
from timelapse_runtime.timelapse.errors import SegmentCorrupt
from timelapse_runtime.timelapse.video.encode import EncodedFrame
from timelapse_runtime.timelapse.video.fit import Picture
from timelapse_runtime.timelapse.video.sample_table import SampleTable, head_size_bytes

INIT = fragments.init_segment()


def table_of(*bodies: bytes) -> SampleTable:
    table = SampleTable()
    for body in bodies:
        table.append(body)
    return table


def ordinary(segments: list[tuple[int, int, bytes, bytes]], path: Path) -> Path:
    """The segments with a head."""
    bodies = [body for _, _, _, body in segments]
    path.write_bytes(table_of(*bodies).head(segments[0][2]) + b"".join(bodies))
    return path


@pytest.mark.parametrize("cut_every", [1, 7, 50])
@pytest.mark.parametrize("kill_at", [(), (3, 11, 12, 40, 71)], ids=["one encoder", "five kills"])
@pytest.mark.parametrize("preset", ["veryfast", "ultrafast"])
def test_each_frame_is_there_once_in_order_and_the_first_is_shown_at_0(
    pictures: list[Picture], tmp_path: Path, cut_every: int, kill_at: tuple[int, ...], preset: str
) -> None:
    segments = list(write(pictures, settings(preset=preset), cut_every=cut_every, kill_at=kill_at))
    path = ordinary(segments, tmp_path / "video.mp4")
    probe = ffprobe_frames(path)
    assert (probe.pts[0], probe.frame_count, probe.steps, probe.messages) == (0, COUNT, {512}, "")
    assert ffmpeg_numbers(path) == list(range(COUNT))


@pytest.mark.parametrize("number", [0, 1, 35, 36, 37, 71, 72, 88, 89])
def test_a_seek_finds_the_frame(pictures: list[Picture], tmp_path: Path, number: int) -> None:
    path = ordinary(list(write(pictures, settings(), cut_every=7)), tmp_path / "video.mp4")
    shown = tmp_path / "frame.mp4"
    command = [require_program("ffmpeg"), "-v", "error", "-ss", f"{number / 30:.6f}", "-i", str(path), "-frames:v", "1"]
    subprocess.run([*command, "-qp", "0", str(shown)], check=True)
    assert [read_number(luma) for luma in ffmpeg_lumas(shown)] == [number]


def test_a_reader_that_knows_no_fragments_finds_the_samples(pictures: list[Picture], tmp_path: Path) -> None:
    """The moof boxes are bytes inside mdat: without them nothing is missing."""
    segments = list(write(pictures, settings(), cut_every=7))
    path = ordinary(segments, tmp_path / "video.mp4")
    path.write_bytes(path.read_bytes().replace(b"moof", b"xxxx"))
    assert ffmpeg_numbers(path) == list(range(COUNT))


def test_a_head_grows_with_the_media_and_is_read_back(pictures: list[Picture]) -> None:
    segments = list(write(pictures, settings(), cut_every=7, kill_at=(40,)))
    init, table, media = segments[0][2], SampleTable(), b""
    for _, _, _, body in segments:
        table.append(body)
        media += body
        head = table.head(init)
        again = SampleTable.from_head(head)
        assert again.head(init) == head == table_of(media).head(init)
        assert (again.media_size_bytes, head_size_bytes(head[:64])) == (len(media), len(head))
        table = again
    assert table.frame_count == COUNT


def test_a_head_without_frames_is_read_back() -> None:
    head = SampleTable().head(INIT)
    assert SampleTable.from_head(head).head(INIT) == head


def test_a_file_of_an_earlier_version_has_no_head() -> None:
    assert head_size_bytes(INIT) is None
    with pytest.raises(SegmentCorrupt):
        head_size_bytes(b"\x00\x00\x00\x10ftypisom")


@st.composite
def media(draw: st.DrawFn) -> list[bytes]:
    """Fragments of all sizes."""
    found, number = [], 0
    for count in draw(st.lists(st.integers(1, 9), min_size=1, max_size=12)):
        order = draw(st.permutations(range(number, number + count)))
        sizes = draw(st.lists(st.integers(0, 300), min_size=count, max_size=count))
        is_key = draw(st.booleans())
        samples = [
            EncodedFrame(pts, is_key and not place, bytes(size))
            for place, (pts, size) in enumerate(zip(order, sizes, strict=True))
        ]
        found.append(fragments.fragment(samples, number=number, reorder_frames=9))
        number += count
    return found


@given(media())
def test_any_tables_are_read_back(bodies: list[bytes]) -> None:
    head = table_of(*bodies).head(INIT)
    assert SampleTable.from_head(head).head(INIT) == head == table_of(b"".join(bodies)).head(INIT)


@given(media(), st.randoms(use_true_random=False))
def test_damage_raises_segment_corrupt_or_nothing(bodies: list[bytes], random: Random) -> None:
    head = table_of(*bodies).head(INIT)
    for data, read in ((head, SampleTable.from_head), (b"".join(bodies), table_of), (head[:64], head_size_bytes)):
        damaged = bytearray(data)
        for _ in range(random.randint(1, 3)):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        try:
            read(bytes(damaged[: random.choice([len(damaged), random.randrange(len(damaged))])]))
        except SegmentCorrupt:
            continue


@pytest.mark.parametrize(("box", "flags"), [(b"tfhd", 0x8), (b"trun", 0x0)])
def test_fragments_of_another_kind_are_refused(box: bytes, flags: int) -> None:
    body = bytearray(fragments.fragment([EncodedFrame(0, is_keyframe=True, data=b"picture")], number=0))
    start = body.index(box) + 4
    body[start : start + 4] = flags.to_bytes(4)
    with pytest.raises(SegmentCorrupt, match="another kind"):
        table_of(bytes(body))


def test_samples_that_are_not_those_of_their_mdat_are_refused() -> None:
    body = fragments.fragment([EncodedFrame(0, is_keyframe=True, data=b"picture")], number=0)
    with pytest.raises(SegmentCorrupt, match="7 bytes"):
        table_of(body.replace((7).to_bytes(4) + b"\x02", (6).to_bytes(4) + b"\x02"))
