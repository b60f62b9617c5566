"""The page in the video bucket, beside the streams: whoever may read those objects can watch them."""

from __future__ import annotations

from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.timelapse.commit_plan import JSON_TYPE, NO_CACHE
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.files import FOLDER, INDEX, STREAMS, page_files
from timelapse_runtime.watch.streams import streams_json


def publish(video: Store, place: Location, names: list[str]) -> list[str]:
    """Write the page's files into `place`, the folder of the streams `names`; their keys. Raises StorageError.

    The index comes last: a page that was there before never meets modules of which some are new.
    """
    folder = place.prefix + FOLDER
    files = page_files()
    for file in sorted(files.values(), key=lambda file: file.name == INDEX):
        key = folder + file.name
        video.put(key, file.body, content_type=file.content_type, cache_control=file.cache_control)
    video.put(folder + STREAMS, streams_json(names, is_served=False), content_type=JSON_TYPE, cache_control=NO_CACHE)
    return [folder + name for name in (*files, STREAMS)]
