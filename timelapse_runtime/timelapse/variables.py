"""The one table of the function's environment variables: names, defaults, what is allowed, and what they mean.

Parsing, the table in docs/configuration.md, the templates' parameters and the commands' options come from it, and tests
compare them. What fits together is up to `config.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.metrics import DECLARED
from timelapse_runtime.timelapse.model.location import LOCATION_PATTERN, parse_location
from timelapse_runtime.timelapse.model.quality import QUALITIES
from timelapse_runtime.timelapse.model.refusal import Refusal
from timelapse_runtime.timelapse.model.setting_values import (
    BLEND,
    CAPTION,
    CLOCK,
    COLOUR,
    COORDINATES,
    CRF,
    DAY_PICTURES,
    FIXED_SIZE,
    KBPS,
    LOGO,
    MASKS,
    PHOTO_FILTER,
    PLACE,
    SIZE,
    SKIP,
    SPEED,
    STREAM_NAME,
    TIMEZONE,
    WINDOW,
    Choice,
    Integer,
    Text,
)

PREFIX = "TIMELAPSE_"
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_MIB = 1024**2


@dataclass(frozen=True, slots=True)
class Variable:
    """One row of the table: `default` as it would be written, or None where a value is required."""

    name: str
    default: str | None
    allowed: str
    meaning: str
    parse: Integer | Choice | Text
    is_of_stream: bool = True
    """Whether a stream may have its own value (`model/stream_settings.py`)."""


LOCATION = Text(LOCATION_PATTERN, parse_location)

VARIABLES = (
    Variable(
        "FRAMES",
        None,
        "s3://BUCKET/PREFIX/",
        "where photos arrive; each folder below it is a stream",
        LOCATION,
        is_of_stream=False,
    ),
    Variable(
        "VIDEO",
        None,
        "s3://BUCKET/PREFIX/, not inside FRAMES",
        "where the videos are written, a folder per stream",
        LOCATION,
        is_of_stream=False,
    ),
    Variable(
        "STREAM",
        "",
        "a name without a slash, or empty",
        "treat all photos below FRAMES as this one stream",
        STREAM_NAME,
        is_of_stream=False,
    ),
    Variable(
        "INCLUDE",
        "photos",
        "patterns, separated by commas, such as `*.dat` or `photos, !preview/`",
        "which objects are photos; `photos`: what has a picture's name; the others are ignored",
        PHOTO_FILTER,
    ),
    Variable("FLUSH_EVERY", "60", "1 to 10000", "frames between two writes to S3", Integer(1, 10_000)),
    Variable(
        "FLUSH_AFTER_SECONDS",
        "60",
        "1 to 86400",
        "how long a frame waits for the next write, if photos keep coming; a sweep writes the last frames of a stream "
        "that has been idle this long",
        Integer(1, 86_400),
    ),
    Variable(
        "KEYFRAME_INTERVAL",
        "180",
        "1 to 1800",
        "frames between two keyframes, and in the longest segment",
        Integer(1, 1_800),
    ),
    Variable("FPS", "30", "1 to 120", "frames per second of the video", Integer(1, 120)),
    Variable(
        "SPEED",
        "off",
        "off, or 1 to 1000000",
        "so many times faster than the world the video's time passes: a frame is shown until the next photo was taken, "
        "for a frame's time at least; off: each is shown for a frame's time",
        SPEED,
    ),
    Variable(
        "HOLD_SECONDS",
        "2",
        "1 to 60",
        "with SPEED, how long a frame is shown at most, in a gap; no longer than KEYFRAME_INTERVAL frames take",
        Integer(1, 60),
    ),
    Variable(
        "SIZE",
        "auto",
        "auto, or WIDTHxHEIGHT (even, 16 to 9998)",
        "the video's size; auto: the first photo's, rounded down to even numbers and to MAXIMUM_SIZE",
        SIZE,
    ),
    Variable(
        "MAXIMUM_SIZE",
        "3840x2160",
        "WIDTHxHEIGHT (even, 16 to 9998)",
        "with SIZE=auto, the largest video, in portrait HEIGHTxWIDTH; at more than 30 fps less than 3840x2160, to keep "
        "to H.264 level 5.1, unless a larger size is set here",
        FIXED_SIZE,
    ),
    Variable(
        "FIT",
        "fit",
        "fit, fill, stretch",
        "a photo of another shape than the video; fit: it gets bars; fill: two edges are cut off; stretch: it is "
        "distorted",
        Choice(("fit", "fill", "stretch")),
    ),
    Variable(
        "NEW_SIZE_AFTER",
        "10",
        "1 to 10000",
        "with SIZE=auto, so many photos in a row that ask for one other size than the reel's begin a new reel",
        Integer(1, 10_000),
    ),
    Variable(
        "QUALITY",
        "fast",
        ", ".join(QUALITIES),
        "what CRF and PRESET are if they are auto; fast: least processor time; balanced: smaller files; archive: best "
        "pictures",
        Choice(tuple(QUALITIES)),
    ),
    Variable(
        "CRF",
        "auto",
        "auto, or 0 to 51",
        "the encoder's quality: a lower value is better and makes larger files; auto: by QUALITY",
        CRF,
    ),
    Variable(
        "PRESET",
        "auto",
        ", ".join(("auto", *_PRESETS)),
        "x264's preset: slower presets make smaller files; auto: by QUALITY",
        Choice(("auto", *_PRESETS)),
    ),
    Variable(
        "MAXIMUM_KBPS",
        "off",
        "off, or 100 to 100000",
        "ceiling of the bit rate, in 1,000 bits per second of video: pictures that would take more get worse than CRF",
        KBPS,
    ),
    Variable(
        "THREADS",
        "0",
        "0 to 16",
        "x264's threads; 0: one per vCPU of the function's memory size",
        Integer(0, 16),
        is_of_stream=False,
    ),
    Variable("REEL", "day", "day, never", "when a new reel begins", Choice(("day", "never"))),
    Variable(
        "KEEP_SEGMENTS",
        "always",
        "always, week, day",
        "how long a closed reel's segments stay; then `video.mp4` alone has its frames",
        Choice(("always", "week", "day")),
    ),
    Variable(
        "TIMEZONE",
        "UTC",
        "an IANA name such as Europe/Berlin",
        "time zone of the day's end, and of times in photos that do not tell theirs",
        TIMEZONE,
    ),
    Variable(
        "ORDER",
        "arrival",
        "arrival, name",
        "order of the frames; arrival: upload time, corrected by natural names; name: byte order of the keys",
        Choice(("arrival", "name")),
        is_of_stream=False,
    ),
    Variable(
        "REORDER_WINDOW",
        "auto",
        "auto, or 0 to 64",
        "photos held back to put them in order; auto: 16 (not decoded, 10 seconds at most), in the order of names 2",
        WINDOW,
    ),
    Variable(
        "LATE",
        "reject",
        "reject, append",
        "order of names: a photo below committed ones; reject: write a record; append: add it at the end",
        Choice(("reject", "append")),
    ),
    Variable(
        "REJECTED",
        "skip",
        "skip, repeat",
        "a photo that cannot be used; skip: leave it out; repeat: show the frame before it again",
        Choice(("skip", "repeat")),
    ),
    Variable(
        "OPEN_STREAMS",
        "4",
        "1 to 1000",
        "streams kept in memory; beyond that the least recently used one is closed",
        Integer(1, 1_000),
        is_of_stream=False,
    ),
    Variable(
        "MAXIMUM_PHOTO_BYTES",
        str(64 * _MIB),
        "1 to 1073741824",
        "a larger object is rejected without being read",
        Integer(1, 1024 * _MIB),
    ),
    Variable(
        "BACKGROUND",
        "black",
        "black, white, or six hexadecimal digits such as 1A2B3C",
        "the colour below transparent areas of a photo, and of the bars beside a photo of another shape",
        COLOUR,
    ),
    Variable(
        "MAXIMUM_PIXELS",
        "100000000",
        "256 to 1000000000",
        "a photo with more pixels in its header is rejected without being decoded",
        Integer(256, 10**9),
    ),
    Variable(
        "SKIP",
        "off",
        "off, or some of `dark:16, bright:240, blurred:0.65, frozen:0, night:6`, each with its limit or without",
        "photos that are left out; dark, bright: mean level of 255; blurred: 0 to 1; frozen: shows what the frame "
        "before shows, to so many levels (ORDER=arrival); night: the sun is so far below the horizon, in degrees, at "
        "PLACE",
        SKIP,
    ),
    Variable(
        "PLACE",
        "",
        "latitude,longitude in degrees such as `52.52,13.405`, or empty",
        "where the camera is, for SKIP=night; south and west are negative",
        COORDINATES,
    ),
    Variable(
        "MASKS",
        "off",
        "off, or masks such as `10,10 25,20; black 60,40 75,40 80,55`",
        "areas that nobody is to see; each has its corners in percent of the video's width and height (two of a "
        "rectangle, three or more of a polygon), after `blur`, `pixelate` or `black` (blur if it says none)",
        MASKS,
    ),
    Variable(
        "STABILISE",
        "off",
        "off, on",
        "shifts of a camera in the wind are taken back, up to 1/60 of the picture's longer side",
        Choice(("off", "on")),
    ),
    Variable(
        "DEFLICKER",
        "off",
        "off, on",
        "exposure that changes from photo to photo is evened out; light that really changes stays",
        Choice(("off", "on")),
    ),
    Variable(
        "DENOISE",
        "off",
        "off, light, medium, strong",
        "sensor noise is averaged away over time where nothing moves: smaller files",
        Choice(("off", "light", "medium", "strong")),
    ),
    Variable(
        "BLEND",
        "off",
        "off, or 2 to 16",
        "motion blur: each frame is a mix of about so many photos, the newest counts most",
        BLEND,
    ),
    Variable(
        "CLOCK",
        "off",
        "off, or a format of strftime such as `%Y-%m-%d %H:%M`",
        "draws when the photo was taken, in TIMEZONE; letters as for CAPTION",
        CLOCK,
    ),
    Variable("CLOCK_PLACE", "bottom-left", ", ".join(PLACE.words), "where the clock is drawn", PLACE),
    Variable(
        "CAPTION",
        "",
        "up to 120 Latin, Greek, Cyrillic, Armenian or Georgian letters, digits and symbols, or empty",
        "draws a line of text, above the clock if both have one place",
        CAPTION,
    ),
    Variable("CAPTION_PLACE", "bottom-left", ", ".join(PLACE.words), "where the caption is drawn", PLACE),
    Variable(
        "TEXT_SIZE",
        "4",
        "1 to 25",
        "size of clock and caption, in percent of the video's shorter side; a line that is too long is drawn smaller",
        Integer(1, 25),
    ),
    Variable(
        "LOGO",
        "",
        "s3://BUCKET/KEY.png below VIDEO, a path such as `logo.png` in the function's package, or empty",
        "a PNG that is drawn over the picture, by its transparency",
        LOGO,
    ),
    Variable("LOGO_PLACE", "top-right", ", ".join(PLACE.words), "where the logo is drawn", PLACE),
    Variable(
        "LOGO_SIZE",
        "12",
        "1 to 100",
        "the logo's longer side, in percent of the video's shorter side",
        Integer(1, 100),
    ),
    Variable(
        "LOGO_MARGIN",
        "3",
        "0 to 45",
        "from the logo to the picture's edges, in percent of the video's shorter side",
        Integer(0, 45),
    ),
    Variable(
        "DAY_PICTURES",
        "off",
        "off, or some of `keogram, lighten, digest`",
        "pictures of each reel that grow with it; keogram: a column of each frame; lighten: the brightest that any "
        "frame has at each place; digest: a short video",
        DAY_PICTURES,
    ),
    Variable(
        "METRICS",
        "basic",
        ", ".join(DECLARED),
        "CloudWatch metrics of each stream, as log lines; basic: age of the newest photo, lag, frames, rejected photos;"
        " all: all counts; each metric costs $0.30 a month and stream",
        Choice(tuple(DECLARED)),
        is_of_stream=False,
    ),
)


STREAM_SETTINGS = {variable.name.lower(): variable for variable in VARIABLES if variable.is_of_stream}
"""What a stream may have its own value of, by name."""


def parse_variable(variable: Variable, environ: Mapping[str, str]) -> Any:
    """One variable's value in `environ`, or its default. Raises ConfigError."""
    text = environ.get(PREFIX + variable.name, variable.default)
    if text is None:
        raise ConfigError(PREFIX + variable.name, None, variable.allowed)
    try:
        return variable.parse(text.strip())
    except Refusal as refusal:
        raise ConfigError(PREFIX + variable.name, text, f"{variable.allowed}; {refusal}") from refusal
    except ValueError as error:
        raise ConfigError(PREFIX + variable.name, text, variable.allowed) from error


def table() -> str:
    """The table of variables in docs/configuration.md, in Markdown."""
    rows = ["| variable | default | allowed | meaning |", "|---|---|---|---|"]
    for variable in VARIABLES:
        default = "required" if variable.default is None else f"`{variable.default}`" if variable.default else "empty"
        rows.append(f"| `{PREFIX}{variable.name}` | {default} | {variable.allowed} | {variable.meaning} |")
    return "\n".join(rows) + "\n"
