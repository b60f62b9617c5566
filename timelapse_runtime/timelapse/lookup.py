"""Is a frame in the film? Asked only for a frame below the watermark that memory does not know.

The checkpoint knows each segment's last key, so one segment is read for an answer (and one manifest for each
reel further back). The segment's provenance boxes name its frames.
"""

from __future__ import annotations

import bisect

from timelapse_runtime.media.boxes import Role, read_provenance
from timelapse_runtime.state.checkpoint import Reel, key_order
from timelapse_runtime.state.keys import StreamKeys
from timelapse_runtime.storage.contract import Store
from timelapse_runtime.timelapse.commit import segment_key
from timelapse_runtime.timelapse.committer import read_manifest


def is_in_film(
    store: Store, keys: StreamKeys, reel: Reel | None, frame_key: str, *, but_stand_ins: bool = False
) -> bool:
    """Whether a committed segment of `reel`, or of a reel before it, holds `frame_key`; with `but_stand_ins`, by a
    picture of its own."""
    wanted = key_order(frame_key)
    while reel is not None:
        if any(frame_key in segment.out_of_order for segment in reel.segments):
            return True
        position = bisect.bisect_left([key_order(segment.last_key) for segment in reel.segments], wanted)
        if position < len(reel.segments):
            body = store.get(segment_key(keys, reel, reel.segments[position])).body
            provenance = read_provenance(body)
            named = [frame for part in provenance for frame in part.frames if frame.key == frame_key]
            if any(not (but_stand_ins and frame.role is Role.STAND_IN) for frame in named):
                return True
            if position > 0 or key_order(provenance[0].frames[0].key) < wanted:
                return False
        if reel.previous is None:
            return False
        reel = read_manifest(store, keys, reel.previous)
    return False
