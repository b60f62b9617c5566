"""Files as encoders, phones and cameras make them: copied frame by frame, or refused with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adopt.files import X264, adopt_into, decoded, ffmpeg, make, published
from tests.probe import ffprobe_frames
from tests.world import World
from timelapse_runtime.adopt.errors import CannotAdopt, CannotCopy

_X264 = ("-c:v", "libx264", "-preset", "veryfast")
_SOUND = ("-f", "lavfi", "-i", "sine=d=2")

COPIED = {
    "b-frames.mp4": (*X264, "-bf", "8", "-b_strategy", "2", "-refs", "5"),
    "open-groups.mp4": (*X264, "-x264-params", "open-gop=1:keyint=30"),
    "short-groups.mp4": (*X264, "-g", "7", "-bf", "0"),
    "intra.mp4": (*X264, "-g", "1"),
    "baseline.mp4": (*X264, "-profile:v", "baseline"),
    "slices.mp4": (*X264, "-x264-params", "slices=4:aud=1:repeat-headers=1"),
    "full-range.mp4": (*X264, "-vf", "scale=out_range=full", "-color_range", "pc"),
    "wide-pixels.mp4": (*X264, "-vf", "setsar=32/27"),
    "ntsc.mp4": (*X264, "-r", "30000/1001"),
    "ticks.mp4": (*X264, "-video_track_timescale", "90000"),
    "variable.mp4": (*X264, "-vf", "select='not(mod(n,7)*mod(n,3))'", "-fps_mode", "vfr"),
    "fragmented.mp4": (*X264, "-movflags", "frag_keyframe+empty_moov"),
    "camera.mp4": (*_SOUND, *X264, "-c:a", "aac", "-timecode", "00:00:00:00"),
    "phone.mov": (*_SOUND, *X264, "-c:a", "aac", "-metadata", "creation_time=2024-05-01T12:00:00Z"),
    "plain.mkv": X264,
    "plain.flv": X264,
    "plain.ts": X264,
    "plain.avi": (*X264, "-bf", "0"),
    "one.mp4": (*X264, "-frames:v", "1"),
}
REFUSED = {
    "x265.mp4": (("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"), "codec is hevc"),
    "mpeg4.avi": (("-c:v", "mpeg4"), "codec is mpeg4"),
    "ten-bits.mp4": ((*_X264, "-pix_fmt", "yuv420p10le"), "yuv420p10le"),
    "four-two-two.mp4": ((*_X264, "-pix_fmt", "yuv422p"), "yuv422p"),
    "interlaced.mp4": ((*X264, "-flags", "+ilme+ildct", "-vf", "tinterlace=4"), "interlaced"),
    "maybe-interlaced.mp4": ((*X264, "-x264-params", "fake-interlaced=1"), "may have interlaced"),
    "no-times.h264": (X264, "does not say when frames are shown"),
    "b-frames.avi": (X264, "does not say when frames are shown"),
}


@pytest.mark.parametrize("name", COPIED)
def test_every_pixel_of_a_copied_file_stays(name: str, tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / name, *COPIED[name])
    shown = decoded(old)
    adopted = adopt_into(world, old)
    new = published(world, tmp_path / "new.mp4")
    assert adopted.copied_count == adopted.reel.frame_count == len(shown)
    assert decoded(new) == shown
    probe = ffprobe_frames(new)
    assert (probe.messages, len(probe.steps) <= 1) == ("", True)
    report = world.verify()
    assert report.is_right, report.findings


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_copied_is_refused_or_encoded_again(name: str, tmp_path: Path) -> None:
    options, reason = REFUSED[name]
    world, old = World(), make(tmp_path / name, *options)
    with pytest.raises(CannotCopy, match=reason):
        adopt_into(world, old)
    assert world.object_keys() == set()
    adopted = adopt_into(world, old, recode=True)
    assert adopted.copied_count == 0
    assert len(decoded(published(world, tmp_path / "new.mp4"))) == len(decoded(old))
    report = world.verify()
    assert report.is_right, report.findings


def test_a_picture_that_is_stored_on_its_side_is_turned(tmp_path: Path) -> None:
    world, old = World(), make(tmp_path / "plain.mp4", *X264)
    phone = tmp_path / "phone.mp4"
    ffmpeg("-i", old, "-c", "copy", "-metadata:s:v:0", "rotate=90", phone)
    with pytest.raises(CannotCopy, match="turned by"):
        adopt_into(world, phone)
    adopt_into(world, phone, recode=True)
    new = published(world, tmp_path / "new.mp4")
    likeness = ffmpeg("-i", new, "-i", phone, "-lavfi", "ssim=stats_file=-", "-f", "null", "-").decode().splitlines()
    assert len(likeness) == 60
    assert min(float(line.partition("All:")[2].split()[0]) for line in likeness) > 0.9


def test_frames_that_an_edit_list_hides_are_not_shown(tmp_path: Path) -> None:
    make(tmp_path / "plain.mp4", *X264)
    cut, world = tmp_path / "cut.mp4", World()
    ffmpeg("-ss", "1.3", "-i", tmp_path / "plain.mp4", "-c", "copy", cut)
    assert len(decoded(cut)) < 25
    with pytest.raises(CannotCopy, match="edit list hides frames"):
        adopt_into(world, cut)
    adopted = adopt_into(world, cut, recode=True)
    assert adopted.reel.frame_count == len(decoded(cut))


@pytest.mark.parametrize(
    ("size", "reason"), [("320x240", "parameter sets change at frame 60"), ("192x128", "parameter sets change")]
)
def test_a_file_of_two_encoders_is_refused(size: str, reason: str, tmp_path: Path) -> None:
    first = make(tmp_path / "first.ts", *X264)
    scene = ("-f", "lavfi", "-i", f"testsrc2=s={size}:r=30:d=1")
    second = make(tmp_path / "second.ts", *X264, "-refs", "1", "-bf", "0", scene=scene)
    both = tmp_path / "both.ts"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with pytest.raises(CannotCopy, match=reason):
        adopt_into(World(), both)


def test_keyframes_too_far_apart_are_refused(tmp_path: Path) -> None:
    scene = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=30:d=62")
    old = make(tmp_path / "old.mp4", *X264, "-x264-params", "keyint=infinite:scenecut=0", scene=scene)
    with pytest.raises(CannotCopy, match="no IDR frame for more than 1800 frames"):
        adopt_into(World(), old)


def test_a_damaged_file_leaves_nothing_behind(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.mp4", *X264).read_bytes()
    damaged, world = tmp_path / "damaged.mp4", World()
    middle = len(whole) // 2
    damaged.write_bytes(
        whole[:middle] + bytes(byte ^ 90 for byte in whole[middle : middle + 900]) + whole[middle + 900 :]
    )
    for recode in (False, True):
        with pytest.raises((CannotCopy, CannotAdopt)):
            adopt_into(world, damaged, recode=recode)
    assert world.object_keys() == set()


@pytest.mark.parametrize(("body", "reason"), [(b"no video", "cannot be opened"), (None, "No such file")])
def test_what_is_no_video_is_refused(body: bytes | None, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "old.mp4"
    if body is not None:
        path.write_bytes(body)
    with pytest.raises(CannotAdopt, match=reason):
        adopt_into(World(), path)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    ffmpeg(*_SOUND, "-c:a", "aac", tmp_path / "sound.m4a")
    with pytest.raises(CannotAdopt, match="there is no video in it"):
        adopt_into(World(), tmp_path / "sound.m4a")
