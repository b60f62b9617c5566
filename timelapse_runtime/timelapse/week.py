"""`week.m3u8`: the closed reels of seven days in one playlist, made when a reel closes.

Reads the reels before it by their manifests, and each one's playlist of ranges: two GETs for each reel, once a day.
"""

from __future__ import annotations

from datetime import date, timedelta

from timelapse_runtime.timelapse.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.playlist import week_playlist
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.stored_reels import read_manifest

_DAYS, _REELS = 7, 31
"""Reels may be shorter than a day."""


def closed_reels_of_the_week(store: Store, keys: StreamKeys, last: Reel) -> bytes:
    """The playlist that ends with `last`, a closed reel that has its playlist of ranges.

    It begins after a reel that has none, such as one that an earlier version closed. Raises StorageError.
    """
    found, reel = [(last, store.get(keys.ranges(last.name)).body)], last
    first_day = date.fromisoformat(last.date) - timedelta(days=_DAYS - 1)
    while reel.previous is not None and len(found) < _REELS:
        try:
            reel = read_manifest(store, keys, reel.previous)
            if date.fromisoformat(reel.date) < first_day:
                break
            if reel.segments:
                found.append((reel, store.get(keys.ranges(reel.name)).body))
        except ObjectNotFound:
            break
    return week_playlist(found[::-1])
