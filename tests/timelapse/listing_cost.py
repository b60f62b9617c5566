"""What a stream in arrival order asks of S3, with many old photos below its prefix.

    python -m tests.timelapse.listing_cost [PHOTOS]     (default: 100,000)

Each line: a kind of names, and the requests per frame over 1,000 photos that arrive one a second, a flush every 60
frames. The old photos are covered by the checkpoint, the last 400 seconds of them excepted. In memory: the requests are
counted, times mean nothing.
"""

from __future__ import annotations

import logging
import random
import sys
import uuid
from collections import Counter
from collections.abc import Callable

from tests.recovery.fake_media import fake_photo, fake_world
from tests.timelapse.test_field_cases import Camera
from tests.world import STREAM
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, Checkpoint

NEW_PHOTOS = 1_000
_UNCOVERED_SECONDS = 400
_random = random.Random(1)
_uuids = [uuid.UUID(int=_random.getrandbits(128)) for _ in range(200_000)]
NAMES: dict[str, Callable[[int], str]] = {
    "rising, padded": lambda number: f"{number:08d}.jpg",
    "rising, not padded": lambda number: f"{number}.jpg",
    "random": lambda number: f"{_uuids[number]}.jpg",
}


def requests_of(camera: Camera) -> Counter[str]:
    """Of both buckets, the camera's own uploads excepted."""
    counted = Counter(camera.world.frames.request_counts)
    del counted["PutObject"]
    return counted + Counter(camera.world.video.request_counts)


def measure(name_of: Callable[[int], str], old_count: int) -> Counter[str]:
    """The requests of NEW_PHOTOS photos after `old_count` old ones."""
    world = fake_world(
        {"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_FLUSH_EVERY": "60", "TIMELAPSE_KEYFRAME_INTERVAL": "180"}
    )
    for number in range(old_count):
        world.clock.advance(1000)
        world.frames.put(f"frames/{STREAM}/{name_of(number)}", fake_photo(0))
    watermark = f"{world.clock.now_epoch_ms() - 1000 * _UNCOVERED_SECONDS:015d}"
    scan_after = min(name_of(number) for number in range(old_count - _UNCOVERED_SECONDS, old_count))[:-1]
    source = f"s3://{world.frames.bucket}/frames/{STREAM}/"
    checkpoint = Checkpoint(source, 1, "-", watermark, (), 0, 0, None, ARRIVAL_ORDER, scan_after)
    world.video.put(world.keys.checkpoint, checkpoint.to_json())
    camera = Camera(world)
    world.sweep(camera.function)
    camera.restart()
    camera.start, before = world.clock.now_epoch_ms(), requests_of(camera)
    camera.shoot([name_of(old_count + number) for number in range(NEW_PHOTOS)], start=1)
    return requests_of(camera) - before


def main() -> None:
    """Print a line per kind of names."""
    logging.disable(logging.CRITICAL)
    old_count = int(sys.argv[1]) if sys.argv[1:] else 100_000
    for title, name_of in NAMES.items():
        counted = measure(name_of, old_count)
        by_name = ", ".join(f"{name} {count / NEW_PHOTOS:.3f}" for name, count in counted.most_common())
        print(f"{title}: {counted.total() / NEW_PHOTOS:.3f} requests per frame ({by_name})", flush=True)


if __name__ == "__main__":
    main()
