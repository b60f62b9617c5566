"""Verifies a reel's pictures of the day: each that is stored can be read, is of the reel's size, and shows no more
frames than the reel has. It may show fewer: it is brought up to date with a later flush."""

from __future__ import annotations

from collections.abc import Collection

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.timelapse.errors import FiltersUnavailable
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES, StreamKeys
from timelapse_runtime.timelapse.verify_report import VerifyReport
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.day_picture import UnreadableDayPicture


def check_pictures(
    video: Store, keys: StreamKeys, codec: Codec, reel: Reel, objects: Collection[str], report: VerifyReport
) -> None:
    """Add to the report what is wrong with those among `objects`. Raises StorageError."""
    stored = [(kind, keys.picture(reel.path, kind)) for kind in DAY_PICTURES]
    for kind, where in stored:
        if where not in objects:
            continue
        try:
            known = codec.day_pictures([kind], (reel.width, reel.height))
        except FiltersUnavailable:
            report.unchecked_pictures_count += 1
            continue
        try:
            frame_count = known[kind].canvas(video.get(where).body).frame_count
        except UnreadableDayPicture as error:
            report.add("picture", where, f"{error}; {_advice(reel)}")
            continue
        if frame_count > reel.frame_count:
            claimed = f"it says that {frame_count} frames are in it; the reel has {reel.frame_count}"
            report.add("picture", where, f"{claimed}; {_advice(reel)}")
        elif frame_count < reel.frame_count:
            report.pictures_behind_count += 1


def _advice(reel: Reel) -> str:
    if reel.is_closed:
        return "delete it; timelapse export makes one like it (--still, or --speed for a digest)"
    return (
        "the function makes it again when the stream is opened next, if TIMELAPSE_DAY_PICTURES names it; else delete it"
    )
