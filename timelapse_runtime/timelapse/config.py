"""The timelapse function's configuration: environment variables, parsed once into a typed value.

A wrong value is a ConfigError that names the variable, the value and what is allowed; it ends init. `variables.py` has
the table of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import tzinfo
from typing import Any

from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.drawn_text import Place
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME, Pacing
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.timelapse.model.logo import LogoPlace
from timelapse_runtime.timelapse.model.mask import Mask
from timelapse_runtime.timelapse.model.memory_budget import MemoryBudget
from timelapse_runtime.timelapse.model.photo_filter import PhotoFilter, is_hidden_folder
from timelapse_runtime.timelapse.model.quality import AV1, H264, QUALITIES
from timelapse_runtime.timelapse.model.skip import SkipRules
from timelapse_runtime.timelapse.model.sun import Coordinates
from timelapse_runtime.timelapse.model.video_size import Size, SizeLimits
from timelapse_runtime.timelapse.variables import PREFIX, STREAM_SETTINGS, VARIABLES, parse_variable

_MEMORY = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
# Lambda gives one vCPU per 1,769 MB (Lambda developer guide, 'Configure memory', read November 2026).
MEMORY_MB_PER_VCPU = 1769
_HELD_PHOTOS = {"arrival": 16, "name": 2}


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
    day_pictures: tuple[str, ...]
    """Of `keys.DAY_PICTURES`."""
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
        pictures = self.day_pictures
        return MemoryBudget(
            self.memory_mb, self.preset, decoded_photos=decoded, read_photos=read, day_pictures=pictures
        )

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


_READ_ELSEWHERE = frozenset(
    {"STATEFUL_RUNTIME_PYTHON", "STATEFUL_RUNTIME_EXEC_WRAPPED"}
)  # bootstrap reads and sets them


def _threads(memory_mb: int | None) -> int:
    """One thread per whole vCPU: a thread more costs a frame of delay and gains nothing on a part of one."""
    return max(1, memory_mb // MEMORY_MB_PER_VCPU) if memory_mb else 1
