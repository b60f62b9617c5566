"""Where a photo of another size or shape goes in a picture of the video. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from timelapse_runtime.timelapse.model.video_size import Size, even_size


@dataclass(frozen=True, slots=True)
class Placement:
    """`crop` is the size of the part of the photo that is shown, `size` what that part is scaled to.

    The part is the photo's middle, unless only an odd row or column is cut off: then it is the last one. Where `size`
    is smaller than the video, it stands in the middle, between bars.
    """

    crop: Size
    size: Size


def place(photo: Size, video: Size, fit: str) -> Placement:
    """The placement of a photo. `photo` and `video` are turned the same way; `video` is even. `fit` says what becomes
    of another shape: `fit` gives it bars, `fill` cuts off two edges, `stretch` distorts it.

    A photo whose odd row or column makes the only difference loses it, and is not resampled.
    """
    if even_size(*photo) == video:
        return Placement(video, video)
    if fit == "stretch":
        return Placement(photo, video)
    return (
        Placement(_filling_part(photo, video), video) if fit == "fill" else Placement(photo, _inner_size(photo, video))
    )


def _inner_size(photo: Size, video: Size) -> Size:
    scale = min(video[0] / photo[0], video[1] / photo[1])
    width, height = even_size(round(photo[0] * scale), round(photo[1] * scale))
    # A difference of a line or two is the rounding of an equal shape, not a shape of its own.
    if video[0] - width <= 2 and video[1] - height <= 2:
        return video
    return max(2, width), max(2, height)


def _filling_part(photo: Size, video: Size) -> Size:
    scale = max(video[0] / photo[0], video[1] / photo[1])
    width, height = (max(1, min(side, round(wanted / scale))) for side, wanted in zip(photo, video, strict=True))
    # As above, in pixels of the video.
    return photo if (photo[0] - width) * scale <= 2 and (photo[1] - height) * scale <= 2 else (width, height)
