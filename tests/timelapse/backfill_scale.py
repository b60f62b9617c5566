"""`python -m tests.timelapse.backfill_scale`: old photos by the hundred thousand, in memory, as JSON.

All is the product but the pixels and S3: a codec that costs microseconds (`fake_media.py`) and the memory store. The
photos are read and encoded by ranges, and joined (`timelapse/ranges/`). Memory is what the process took at most beyond
what it had when all photos were stored; the objects of the video, which are in memory here, count as well, and their
size is told.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Iterable

from tests.recovery.fake_media import FakeCodec, fake_photo
from tests.world import STREAM, World


def figures(photos: int) -> dict[str, object]:
    """One backfill."""
    settings = {"FLUSH_EVERY": "60", "KEYFRAME_INTERVAL": "180", "ORDER": "arrival", "REEL": "never"}
    world = World({f"TIMELAPSE_{name}": value for name, value in settings.items()}, codec=FakeCodec(), has_ranges=True)
    for number in range(photos):
        world.clock.advance(100)
        world.frames.put(f"frames/{STREAM}/IMG_{number:06d}.jpg", fake_photo(number))
    before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    world.sweep(world.environment(), drain=True)
    seconds, after = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert world.checkpoint().frame_count == photos
    assert len(world.elsewhere_keys) == photos
    requests = world.frames.request_counts, world.video.request_counts
    return {
        "photos": photos,
        "reels": len(world.reels()),
        "memory_mb": round((after - before) / 1024, 1),
        "of_it_video_mb": round(sum(info.size_bytes for info in world.video.list_after("")) / 1e6, 1),
        "cpu_ms_per_photo": round(seconds * 1000 / photos, 3),
        "checkpoint_bytes": len(world.checkpoint().to_json()),
        "requests_per_photo": round(sum(sum(counts.values()) for counts in requests) / photos, 3),
    }


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=100_000)
    print(json.dumps(figures(parser.parse_args(None if arguments is None else list(arguments)).photos), indent=1))


if __name__ == "__main__":
    main()
