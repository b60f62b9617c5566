"""`week.m3u8`: the closed reels of seven days in one playlist, made when a reel closes.

Reads the reels before it by their manifests, and each one's playlist of ranges: two GETs for each reel, once a day.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

from timelapse_runtime.runtime.state.contract import Condition, IfAbsent, IfMatch, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound, PreconditionFailed
from timelapse_runtime.timelapse.commit_plan import playlist_put
from timelapse_runtime.timelapse.model.checkpoint import Reel
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.playlist import week_playlist
from timelapse_runtime.timelapse.stored_reels import reels_from

_TRIES = 3
_DAYS, _REELS = 7, 31
"""Reels may be shorter than a day."""


def write_week(store: Store, keys: StreamKeys, last: Reel, is_current: Callable[[], bool]) -> None:
    """Write the playlist that ends with `last`, unless `is_current` says that the stream has gone on. Raises
    StorageError.

    It is made of what is stored after its present version was seen: so of two that write at once, the one that has
    seen the newer reels comes last.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            condition: Condition = IfMatch(store.head(keys.week).etag)
        except ObjectNotFound:
            condition = IfAbsent()
        if not is_current():
            return
        body = closed_reels_of_the_week(store, keys, last)
        if body is None:
            store.delete([keys.week])
            return
        try:
            replace(playlist_put(keys.week, body), condition=condition).send(store)
        except PreconditionFailed:
            if not tries_left:
                raise
        else:
            return


def closed_reels_of_the_week(store: Store, keys: StreamKeys, last: Reel) -> bytes | None:
    """The playlist that ends with `last`, a closed reel that has its playlist of ranges; None if no reel has frames.

    It begins after a reel that has none, such as one that an earlier version closed. Raises StorageError.
    """
    found = [(last, store.get(keys.ranges(last.name)).body)] if last.segments else []
    first_day = date.fromisoformat(last.date) - timedelta(days=_DAYS - 1)
    with contextlib.suppress(ObjectNotFound):
        for reel in itertools.islice(reels_from(store, keys, last), 1, None):
            if date.fromisoformat(reel.date) < first_day:
                break
            if reel.segments:
                found.append((reel, store.get(keys.ranges(reel.name)).body))
            if len(found) == _REELS:
                break
    return week_playlist(found[::-1]) if found else None
