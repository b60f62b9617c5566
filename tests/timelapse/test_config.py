"""The configuration: defaults, every variable's wrong value, and what must not feed itself."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.model.quality import AV1, H264, H265, QUALITIES
from timelapse_runtime.timelapse.variables import VARIABLES

PLACES = ["", *("/".join(parts) for size in (1, 2, 3) for parts in itertools.product(("a", "b", "reels"), repeat=size))]
REQUIRED = {"TIMELAPSE_FRAMES": "s3://photos/frames", "TIMELAPSE_VIDEO": "s3://videos/video/"}


def test_the_defaults_are_those_of_the_table() -> None:
    config = parse_config(REQUIRED)
    assert (config.frames, config.video) == (Location("photos", "frames/"), Location("videos", "video/"))
    assert (config.flush_every, config.keyframe_interval, config.fps, config.crf) == (60, 180, 30, 23)
    assert (config.size, config.stream, config.threads, config.reel) == (None, None, 1, "day")
    assert (config.late, config.rejected, config.background) == ("reject", "skip", (0, 0, 0))
    assert (config.maximum_size, config.fit, config.new_size_after) == ((3840, 2160), "fit", 10)


def test_values_are_read() -> None:
    config = parse_config(
        {**REQUIRED, "TIMELAPSE_SIZE": "1920x1080", "TIMELAPSE_STREAM": "cam 1", "TIMELAPSE_CRF": " 30 "}
    )
    assert (config.size, config.stream, config.crf) == ((1920, 1080), "cam 1", 30)


@pytest.mark.parametrize(("memory", "threads"), [("256", 1), ("1769", 1), ("3538", 2), ("10240", 5)])
def test_threads_follow_the_memory_size(memory: str, threads: int) -> None:
    assert parse_config({**REQUIRED, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}).threads == threads


def test_photos_are_limited_by_what_the_memory_leaves_beside_the_video() -> None:
    def pixels(memory: str, **variables: str) -> int:
        return parse_config({**REQUIRED, **variables, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory}).maximum_pixels

    assert pixels("") == 100_000_000
    assert pixels("1769") == 100_000_000
    assert 24_000_000 < pixels("512") < 50_000_000
    assert 24_000_000 < pixels("1769", TIMELAPSE_SIZE="3840x2160") < 100_000_000
    assert pixels("10240", TIMELAPSE_MAXIMUM_PIXELS="1000") == 1000


@pytest.mark.parametrize(
    ("memory", "variables", "advice"),
    [
        ("128", {}, r"at least \d+ MB for a video of 640x360"),
        (
            "512",
            {"SIZE": "3840x2160"},
            r"at least \d+ MB for a video of 3840x2160 with preset veryfast, or a smaller TIMELAPSE_SIZE",
        ),
        ("1769", {"SIZE": "3840x2160", "PRESET": "veryslow"}, "for a video of 3840x2160 with preset veryslow"),
    ],
)
def test_too_little_memory_for_the_video_is_a_mistake(memory: str, variables: dict[str, str], advice: str) -> None:
    environ = {f"TIMELAPSE_{name}": value for name, value in variables.items()}
    with pytest.raises(ConfigError, match=advice):
        parse_config({**REQUIRED, **environ, "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": memory})


def test_a_quality_says_what_is_not_said() -> None:
    archive = {**REQUIRED, "TIMELAPSE_QUALITY": "archive"}
    config = parse_config(archive)
    assert (config.preset, config.crf) == QUALITIES["archive"][H264]
    assert parse_config({**archive, "TIMELAPSE_CRF": "30"}).crf == 30
    assert parse_config({**archive, "TIMELAPSE_CRF": "30"}).preset == config.preset


def test_a_streams_quality_comes_before_crf_and_preset_of_the_function() -> None:
    function = parse_config({**REQUIRED, "TIMELAPSE_CRF": "30", "TIMELAPSE_PRESET": "superfast"})
    archive = function.for_stream({"quality": "archive", "fps": "25"})
    assert (archive.preset, archive.crf) == QUALITIES["archive"][H264]
    assert function.for_stream({"quality": "archive", "crf": "20"}).crf == 20
    assert function.for_stream({"fps": "25"}).crf == 30


@pytest.mark.parametrize("codec", [H265, AV1])
def test_crf_and_preset_of_another_codec_are_its_own(codec: str) -> None:
    stream = parse_config(REQUIRED).for_stream({"crf": "10", "preset": "slow", "quality": "balanced"})
    rendered = stream.for_codec(codec, {})
    assert (rendered.codec, rendered.preset, rendered.crf) == (codec, *QUALITIES["balanced"][codec])
    assert stream.for_codec(codec, {"crf": "40"}).crf == 40
    assert stream.for_codec(H264, {}) == stream


def test_pictures_of_the_day_have_one_order() -> None:
    given = ("off", "lighten", "lighten,keogram", "keogram, keogram")
    wanted = [parse_config({**REQUIRED, "TIMELAPSE_DAY_PICTURES": text}).day_pictures for text in given]
    assert wanted == [(), ("lighten",), ("keogram", "lighten"), ("keogram",)]


def test_av1_has_no_ceiling() -> None:
    stream = parse_config(REQUIRED).for_stream({"maximum_kbps": "4000"})
    assert (stream.maximum_kbps, stream.for_codec(H265, {}).maximum_kbps) == (4000, 4000)
    assert stream.for_codec(AV1, {}).maximum_kbps is None
    with pytest.raises(ConfigError, match="off for AV1"):
        stream.for_codec(AV1, {"maximum_kbps": "4000"})


WRONG = {
    "FRAMES": ["", "photos", "s3://", "s3://Photos/x", "https://photos/x"],
    "VIDEO": ["", "s3:/videos", "s3://ab"],
    "STREAM": ["a/b", "a\nb"],
    "INCLUDE": ["", "!", "*.jpg,", ",*.jpg", "/a.jpg", "!!a", "!photos", "[a", "a\nb"],
    "FLUSH_EVERY": ["0", "10001", "x", "1.5", ""],
    "FLUSH_AFTER_SECONDS": ["0", "-1"],
    "METRICS": ["none", ""],
    "DAY_PICTURES": ["", "on", "Keogram", "keogram lighten", "keogram,", "off, keogram"],
    "KEYFRAME_INTERVAL": ["0", "1801"],
    "FPS": ["0", "121"],
    "SPEED": ["", "on", "0", "1.5", "1000001"],
    "HOLD_SECONDS": ["0", "61"],
    "SIZE": ["1920", "1921x1080", "8x8", "0x0", "1920X1080"],
    "MAXIMUM_SIZE": ["auto", "3840", "3841x2160", "8x8", "3840X2160"],
    "FIT": ["crop", "FIT", ""],
    "NEW_SIZE_AFTER": ["0", "10001"],
    "QUALITY": ["", "best", "Fast"],
    "CRF": ["-1", "52", "", "20.5"],
    "PRESET": ["placebo", "VERYFAST"],
    "MAXIMUM_KBPS": ["", "0", "99", "100001", "2M"],
    "THREADS": ["17"],
    "REEL": ["hour"],
    "KEEP_SEGMENTS": ["never", "7"],
    "TIMEZONE": ["Mars/Olympus", "../etc/passwd"],
    "ORDER": ["time", "NAME", ""],
    "REORDER_WINDOW": ["-1"],
    "LATE": ["drop"],
    "REJECTED": ["stop"],
    "OPEN_STREAMS": ["0"],
    "MAXIMUM_PHOTO_BYTES": ["0"],
    "BACKGROUND": ["grey", "#000000", "12345", ""],
    "MAXIMUM_PIXELS": ["1"],
    "CLOCK": ["", "on", "%Q", "%", "50 %", "%-Y-%-", "%H:%M\n%S", "%-A%", "%c", "\u6771 %H"],
    "CLOCK_PLACE": ["left", ""],
    "CAPTION": ["a\nb", "x" * 121, "\u6771\u4eac", "\u05e9\u05dc\u05d5\u05dd", "caf\u00e9 \U0001f600"],
    "CAPTION_PLACE": ["middle"],
    "TEXT_SIZE": ["0", "26"],
    "LOGO": [
        "logo.jpg",
        "/logo.png",
        "../logo.png",
        "s3://videos/logo.gif",
        "s3://Videos/logo.png",
    ],
    "LOGO_PLACE": ["", "middle"],
    "LOGO_SIZE": ["0", "101"],
    "LOGO_MARGIN": ["-1", "46"],
    "DEFLICKER": ["", "1", "On"],
    "DENOISE": ["", "on", "0"],
    "STABILISE": ["", "yes"],
    "BLEND": ["", "on", "1", "17"],
    "SKIP": ["", "on", "dim", "dark:", "dark:-1", "dark:256", "dark,dark", "blurred:1.5", "dark bright"],
    "PLACE": ["Berlin", "52.5", "91,0", "0,181", "52,5,13,4", "52.5 13.4", "+1,2"],
    "MASKS": ["", "on", "10,10", "10,10 101,20", "smear 1,1 9,9", "1,1 9,9;", "5,5 5,9"],
}


def test_every_variable_has_wrong_values_here() -> None:
    assert set(WRONG) == {variable.name for variable in VARIABLES}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_named_with_what_is_allowed(name: str, value: str) -> None:
    variable = next(one for one in VARIABLES if one.name == name)
    with pytest.raises(ConfigError) as caught:
        parse_config({**REQUIRED, f"TIMELAPSE_{name}": value})
    assert caught.value.variable == f"TIMELAPSE_{name}"
    assert caught.value.value == value
    assert variable.allowed in str(caught.value)


@pytest.mark.parametrize(
    ("variables", "allowed"),
    [
        ({"SKIP": "dark, night"}, "night together with TIMELAPSE_PLACE"),
        ({"SKIP": "frozen", "ORDER": "name"}, "frozen with TIMELAPSE_ORDER=arrival"),
        ({"LOGO": "s3://other/video/logo.png"}, "below TIMELAPSE_VIDEO"),
        ({"LOGO": "s3://videos/logo.png"}, "below TIMELAPSE_VIDEO, s3://videos/video/"),
    ],
)
def test_a_rule_without_its_basis_is_a_mistake(variables: dict[str, str], allowed: str) -> None:
    environ = {f"TIMELAPSE_{name}": value for name, value in variables.items()}
    with pytest.raises(ConfigError, match=allowed):
        parse_config({**REQUIRED, **environ})


@pytest.mark.parametrize("name", ["TIMELAPSE_FRAMES", "TIMELAPSE_VIDEO"])
def test_a_required_variable_that_is_missing_is_named(name: str) -> None:
    variables = {key: value for key, value in REQUIRED.items() if key != name}
    with pytest.raises(ConfigError, match=f"{name}: it is not set"):
        parse_config(variables)


def test_a_variable_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="TIMELAPSE_FLUSH_EVRY"):
        parse_config({**REQUIRED, "TIMELAPSE_FLUSH_EVRY": "10"})
    parse_config({**REQUIRED, "STATEFUL_RUNTIME_PYTHON": "/usr/bin/python3", "STATEFUL_RUNTIME_EXEC_WRAPPED": "1"})


@pytest.mark.parametrize(
    ("frames", "video", "stream"),
    [
        # the same place, or the video inside: each folder of videos would be a stream of photos
        ("s3://one/frames/", "s3://one/frames/", ""),
        ("s3://one/frames/", "s3://one/frames/video", ""),
        ("s3://one/frames/", "s3://one/frames/a/b/", ""),
        ("s3://one/", "s3://one/video/", ""),
        ("s3://one", "s3://one", ""),
        ("s3://one/frames/", "s3://one/frames/video/", "cam"),
        ("s3://one/frames/", "s3://one/frames/", "cam"),
        # with a stream's name, its folder is what is written
        ("s3://one/timelapse/photos/", "s3://one/timelapse/", "photos"),
        ("s3://one/timelapse/", "s3://one/", "timelapse"),
        ("s3://one/timelapse/", "s3://one/timelapse/", "photos"),
        ("s3://one/cam/photos/", "s3://one/", "cam"),
        ("s3://one/cam/rejected/", "s3://one/", "cam"),
        ("s3://one/", "s3://one/video/", "cam"),
    ],
)
def test_photos_and_videos_inside_each_other_are_refused(frames: str, video: str, stream: str) -> None:
    with pytest.raises(ConfigError, match="its own output") as caught:
        parse_config({"TIMELAPSE_FRAMES": frames, "TIMELAPSE_VIDEO": video, "TIMELAPSE_STREAM": stream})
    assert caught.value.variable == "TIMELAPSE_VIDEO"


@pytest.mark.parametrize(
    ("frames", "video", "stream"),
    [
        ("s3://one/frames/", "s3://one/video/", ""),
        ("s3://one/frames/", "s3://one/frames-video/", ""),
        ("s3://one/frames/", "s3://two/frames/", ""),
        ("s3://one", "s3://two", ""),
        ("s3://one/timelapse/photos/", "s3://one/timelapse/", "cam"),
        ("s3://one/timelapse/photos/", "s3://one/timelapse/", "photos-video"),
        ("s3://one/photos/", "s3://one/", "video"),
        ("s3://one/frames/", "s3://one/video/", "frames"),
        ("s3://one/frames/", "s3://one/", ""),  # only a stream of the name `frames` is refused
    ],
)
def test_photos_and_videos_beside_each_other_are_fine(frames: str, video: str, stream: str) -> None:
    config = parse_config({"TIMELAPSE_FRAMES": frames, "TIMELAPSE_VIDEO": video, "TIMELAPSE_STREAM": stream})
    assert config.stream == (stream or None)


@given(st.sampled_from(PLACES), st.sampled_from(PLACES), st.sampled_from(["", "a", "b", "reels"]))
def test_no_configuration_that_is_taken_reads_what_it_writes(frames: str, video: str, stream: str) -> None:
    """Whatever the streams are called, an object that is written is below no place that is read, nor the reverse."""
    variables = {"TIMELAPSE_FRAMES": f"s3://bbb/{frames}", "TIMELAPSE_VIDEO": f"s3://bbb/{video}"}
    try:
        config = parse_config({**variables, "TIMELAPSE_STREAM": stream})
    except ConfigError:
        return
    for name in (config.stream,) if config.stream else filter(config.is_apart, ("a", "b", "c", "reels")):
        written = f"{config.video.prefix}{name}/"
        read = config.frames.prefix if config.stream else f"{config.frames.prefix}{name}/"
        for key in ("checkpoint.json", "latest.jpg", "reels/r/segments/1.m4s", "rejected/a/b/1.jpg.json"):
            assert not (written + key).startswith(config.frames.prefix)
        assert not (read + "1.jpg").startswith(written)
    assert config.is_apart("c")
