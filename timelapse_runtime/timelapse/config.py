"""The timelapse function's configuration: environment variables, parsed once into a typed value.

A wrong value is a ConfigError that names the variable, the value and what is allowed; it ends init. VARIABLES is
the one table: parsing, defaults and the table in docs/configuration.md (a test compares them) come from it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import tzinfo
from typing import Any

from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.metrics import DECLARED
from timelapse_runtime.timelapse.model.drawn_text import Place
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME, Pacing
from timelapse_runtime.timelapse.model.logo import LogoPlace
from timelapse_runtime.timelapse.model.mask import Mask
from timelapse_runtime.timelapse.model.memory_budget import MemoryBudget
from timelapse_runtime.timelapse.model.photo_filter import PhotoFilter, is_hidden_folder
from timelapse_runtime.timelapse.model.quality import AV1, H264, QUALITIES
from timelapse_runtime.timelapse.model.refusal import Refusal
from timelapse_runtime.timelapse.model.setting_values import (
    BLEND,
    CAPTION,
    CLOCK,
    COLOUR,
    COORDINATES,
    CRF,
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
from timelapse_runtime.timelapse.model.skip import SkipRules
from timelapse_runtime.timelapse.model.sun import Coordinates
from timelapse_runtime.timelapse.model.video_size import Size, SizeLimits

PREFIX = "TIMELAPSE_"
_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_MIB = 1024**2
# Lambda gives one vCPU per 1,769 MB (Lambda developer guide, 'Configure memory', read November 2026).
MEMORY_MB_PER_VCPU = 1769
_HELD_PHOTOS = {"arrival": 16, "name": 2}


@dataclass(frozen=True, slots=True)
class Location:
    """A place in S3: everything in `bucket` whose key begins with `prefix` (empty, or ending with a slash)."""

    bucket: str
    prefix: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    def contains(self, other: Location) -> bool:
        """Whether `other` lies in this place or is it."""
        return self.bucket == other.bucket and other.prefix.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class Config:
    """What is configured; the names are those of the variables without their prefix, in lower case."""

    frames: Location
    video: Location
    stream: str | None
    include: PhotoFilter
    flush_every: int
    flush_after_seconds: int
    keyframe_interval: int
    fps: int
    speed: int
    """How many times faster than the world; 0: each photo is shown for one frame's time."""
    hold_seconds: int
    size: Size | None
    maximum_size: Size
    fit: str
    new_size_after: int
    quality: str
    crf: int
    """What is configured, or that of `quality` in `codec`; so is `preset`."""
    preset: str
    maximum_kbps: int | None
    threads: int
    reel: str
    keep_segments: str
    timezone: tzinfo
    order: str
    reorder_window: int
    late: str
    rejected: str
    open_streams: int
    maximum_photo_bytes: int
    background: tuple[int, int, int]
    """What is laid below a photo's transparent areas: red, green and blue, 0 to 255."""
    maximum_pixels: int
    """What is configured, or less: what fits into the function's memory beside the video."""
    skip: SkipRules
    """What makes a photo be left out. With `night`, there is a `place`."""
    place: Coordinates | None
    masks: tuple[Mask, ...]
    stabilise: str
    deflicker: str
    denoise: str
    blend: int | None
    """How many photos are mixed; None: none."""
    clock: str | None
    """A format of strftime; None if no clock is drawn."""
    clock_place: Place
    caption: str | None
    caption_place: Place
    text_size: int
    """In percent of the video's shorter side."""
    logo: LogoPlace | None
    logo_place: Place
    logo_size: int
    logo_margin: int
    """Both in percent of the video's shorter side."""
    metrics: str
    memory_mb: int | None
    """The function's memory size, where Lambda says it."""
    settings: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The stream's own settings that it has come from, as they were written. How they were written makes two
    configurations no different."""
    variables: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)
    """The variables of the function that it has come from."""
    logo_png: bytes = field(default=b"", repr=False)
    """The logo, once it was read (`logo_file.py`)."""
    codec: str = H264
    """What is recorded is H.264. Closed reels are also rendered in others."""

    def for_codec(self, codec: str, given: Mapping[str, str]) -> Config:
        """The same for reels in this codec. Of another one than H.264, only the settings `given` for it say crf and
        preset; else the quality decides. AV1 has no ceiling of the bit rate. Raises ConfigError if one is given."""
        if codec == H264:
            return self
        quality = QUALITIES[self.quality][codec]
        crf = STREAM_SETTINGS["crf"].parse(given.get("crf", "auto"))
        preset = given.get("preset", "auto")
        crf, preset = quality.crf if crf is None else crf, quality.preset if preset == "auto" else preset
        if codec == AV1 and given.get("maximum_kbps", "off") != "off":
            raise ConfigError(f"{PREFIX}MAXIMUM_KBPS", given["maximum_kbps"], "off for AV1")
        # SVT-AV1 4.1 did not end with a ceiling that it could not keep (160x96, noise, 300 kbit/s, November 2026).
        maximum_kbps = None if codec == AV1 else self.maximum_kbps
        return replace(self, codec=codec, crf=crf, preset=preset, maximum_kbps=maximum_kbps)

    def for_stream(self, settings: Mapping[str, str]) -> Config:
        """The configuration of a stream that has these settings of its own, by name in lower case.

        Raises ConfigError, also if one is of the function alone, or if they do not fit together.
        """
        if not settings:
            return self
        for name, text in settings.items():
            if name not in STREAM_SETTINGS:
                raise ConfigError(PREFIX + name.upper(), text, f"one of {', '.join(STREAM_SETTINGS)}")
        own = {PREFIX + name.upper(): text for name, text in settings.items()}
        return replace(parse_config(laid_over(self.variables, own)), settings=settings, variables=self.variables)

    @property
    def pacing(self) -> Pacing | None:
        """When frames are shown, if that follows from capture times. A frame is not shown for longer than the longest
        segment."""
        if not self.speed:
            return None
        hold_frames = min(self.hold_seconds * self.fps, self.keyframe_interval)
        return Pacing(self.speed, self.fps, hold_frames * TICKS_PER_FRAME)

    @property
    def slow_pace_ms(self) -> int:
        """A camera whose photos come less often needs a low-delay encoder: the frames in one that looks ahead (11 with
        `veryfast`) would stay there for longer than `flush_after_seconds`."""
        return self.flush_after_seconds * 1_000 // 12

    @property
    def memory(self) -> MemoryBudget:
        """What fits into the function's memory."""
        held = self.reorder_window
        # One is encoded while the next is decoded. In the order of names those that are held back are decoded too.
        decoded, read = (2 + held, 0) if self.order == "name" else (2, held)
        return MemoryBudget(self.memory_mb, self.preset, decoded_photos=decoded, read_photos=read)

    def size_limits(self, photo_bytes: int) -> SizeLimits:
        """What limits an automatic size beside photos of so many bytes, decoded."""
        return SizeLimits(self.maximum_size, self.fps, self.memory.video_pixels(photo_bytes))

    def is_apart(self, stream: str) -> bool:
        """Whether the folder that is written for the stream and the photos' place are apart: neither is in the other.

        A video among the photos would feed the function its own output, and a folder of videos is the function's own:
        it removes what it does not know there.
        """
        written = self._written(stream)
        return not (self.frames.contains(written) or written.contains(self.frames))

    def may_be_stream(self, folder: str) -> bool:
        """Whether a folder of photos is a stream: not the system's, and none whose video would lie around the
        photos."""
        return not is_hidden_folder(folder) and self.is_apart(folder)

    def photos_prefix(self, stream: str) -> str:
        """What the keys of the stream's photos begin with."""
        return self.frames.prefix if self.stream is not None else f"{self.frames.prefix}{stream}/"

    def require_apart(self, stream: str) -> None:
        """Raises ConfigError if they are not apart."""
        if not self.is_apart(stream):
            raise _not_apart(self, self._written(stream))

    def _written(self, stream: str) -> Location:
        return Location(self.video.bucket, f"{self.video.prefix}{stream}/")


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


_LOCATION = r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/([\s\S]*))?"


def parse_location(text: str) -> Location:
    """`s3://BUCKET/PREFIX`, with a slash at the end where there is a prefix. Raises ValueError."""
    match = re.fullmatch(_LOCATION, text)
    if match is None:
        raise ValueError(text)
    prefix = match[2] or ""
    return Location(match[1], prefix if not prefix or prefix.endswith("/") else prefix + "/")


LOCATION = Text(_LOCATION, parse_location)

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


def config_errors(environ: Mapping[str, str]) -> Iterator[ConfigError]:
    """All that is wrong with the variables in `environ`, each taken alone: parse_config compares them, too."""
    known = {PREFIX + variable.name for variable in VARIABLES}
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known:
            yield ConfigError(name, environ[name], f"no such variable; did you mean {_nearest(name, known)}?")
    for variable in VARIABLES:
        try:
            parse_variable(variable, environ)
        except ConfigError as error:
            yield error


def laid_over(below: Mapping[str, str], above: Mapping[str, str]) -> dict[str, str]:
    """The variables, or settings, `below` with those `above` in their place. A quality comes before crf and preset of
    `below`."""
    decided = ("CRF", "PRESET") if "QUALITY" in map(_bare, above) else ()
    return {name: text for name, text in below.items() if _bare(name) not in decided} | {**above}


def _bare(name: str) -> str:
    return name.upper().removeprefix(PREFIX)


def parse_config(environ: Mapping[str, str]) -> Config:
    """The configuration in `environ`. Raises ConfigError: the first of config_errors, or for values that do not fit
    together."""
    for error in config_errors(environ):
        raise error
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        values[variable.name.lower()] = parse_variable(variable, environ)
    memory_size = environ.get(_MEMORY, "")
    values["memory_mb"] = int(memory_size) if memory_size.isdigit() else None
    values["threads"] = values["threads"] or _threads(values["memory_mb"])
    if values["reorder_window"] is None:
        values["reorder_window"] = _HELD_PHOTOS[values["order"]]
    quality = QUALITIES[values["quality"]][H264]
    values["crf"] = quality.crf if values["crf"] is None else values["crf"]
    values["preset"] = quality.preset if values["preset"] == "auto" else values["preset"]
    values["codec"], values["logo_png"], values["settings"] = H264, b"", {}
    values["variables"] = {name: text for name, text in environ.items() if name.startswith(PREFIX) or name == _MEMORY}
    config = Config(**{one.name: values[one.name] for one in fields(Config)})
    _refuse_output_among_input(config)
    _refuse_rules_without_basis(config, environ)
    photo_pixels = config.memory.photo_pixels(config.size)
    if photo_pixels is not None and photo_pixels < config.maximum_pixels:
        return replace(config, maximum_pixels=photo_pixels)
    return config


def _nearest(name: str, known: Collection[str]) -> str:
    import difflib  # noqa: PLC0415  only for this message: a cold start does not pay for it

    return difflib.get_close_matches(name, sorted(known), 1, cutoff=0)[0]


def _refuse_output_among_input(config: Config) -> None:
    if config.stream is not None:
        config.require_apart(config.stream)
    elif config.frames.contains(config.video):  # then this holds for every stream
        raise _not_apart(config, config.video)


def _refuse_rules_without_basis(config: Config, environ: Mapping[str, str]) -> None:
    given = environ.get(PREFIX + "SKIP")
    if config.skip.night is not None and config.place is None:
        raise ConfigError(PREFIX + "SKIP", given, f"night together with {PREFIX}PLACE: the sun's height depends on it")
    logo = config.logo
    if logo is not None and logo.bucket is not None and not config.video.contains(Location(logo.bucket, logo.key)):
        raise ConfigError(PREFIX + "LOGO", str(logo), f"an object below {PREFIX}VIDEO, {config.video}")
    if config.skip.frozen is not None and config.order == "name":
        allowed = f"frozen with {PREFIX}ORDER=arrival: in the order of names, a frame's neighbour may come later"
        raise ConfigError(PREFIX + "SKIP", given, allowed)


def _not_apart(config: Config, written: Location) -> ConfigError:
    allowed = f"a place apart from {PREFIX}FRAMES: here {written} is written, and photos are read from {config.frames}"
    hint = "the function would take its own output for photos, or write around them"
    return ConfigError(PREFIX + "VIDEO", str(config.video), f"{allowed}; {hint}")


def table() -> str:
    """The table of variables in docs/configuration.md, in Markdown."""
    rows = ["| variable | default | allowed | meaning |", "|---|---|---|---|"]
    for variable in VARIABLES:
        default = "required" if variable.default is None else f"`{variable.default}`" if variable.default else "empty"
        rows.append(f"| `{PREFIX}{variable.name}` | {default} | {variable.allowed} | {variable.meaning} |")
    return "\n".join(rows) + "\n"


_READ_ELSEWHERE = frozenset(
    {"STATEFUL_RUNTIME_PYTHON", "STATEFUL_RUNTIME_EXEC_WRAPPED"}
)  # bootstrap reads and sets them


def _threads(memory_mb: int | None) -> int:
    """One thread per whole vCPU: a thread more costs a frame of delay and gains nothing on a part of one."""
    return max(1, memory_mb // MEMORY_MB_PER_VCPU) if memory_mb else 1
