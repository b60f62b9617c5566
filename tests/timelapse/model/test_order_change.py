"""What a checkpoint covers when the order of the photos was changed."""

from __future__ import annotations

from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, NAME_ORDER, Checkpoint
from timelapse_runtime.timelapse.model.frame_tracker import Coverage
from timelapse_runtime.timelapse.model.order_change import in_other_order
from timelapse_runtime.timelapse.model.source_frame import SourceFrame

PHOTOS = [SourceFrame(f"{number}.jpg", 1_000 * number, etag=f"e{number}") for number in range(1, 7)]


def checkpoint(order: str, watermark: str, *ahead: str) -> Checkpoint:
    return Checkpoint("s3://frames/camera/", 1, "commit", watermark, ahead, 0, 0, None, order)


def covered(coverage: Coverage, photo: SourceFrame) -> bool:
    return checkpoint(ARRIVAL_ORDER, coverage.watermark, *coverage.committed_ahead).covers(photo.position)


def test_what_name_order_covers_is_covered_in_arrival_order() -> None:
    found = in_other_order(checkpoint(NAME_ORDER, "3.jpg", "5.jpg"), 6_000, PHOTOS)
    assert [covered(found, photo) for photo in PHOTOS] == [True, True, True, False, True, False]


def test_a_photo_that_is_younger_than_the_checkpoint_is_not_covered_whatever_its_name() -> None:
    late = SourceFrame("0.jpg", 9_000, etag="late")
    found = in_other_order(checkpoint(NAME_ORDER, "6.jpg"), 6_000, [*PHOTOS, late])
    assert all(covered(found, photo) for photo in PHOTOS)
    assert not covered(found, late)


def test_name_order_begins_after_the_highest_name_that_arrival_order_covers() -> None:
    ahead = PHOTOS[4].position
    assert in_other_order(checkpoint(ARRIVAL_ORDER, PHOTOS[1].position, ahead), 0, PHOTOS) == Coverage(
        "5.jpg", (), 0, 0
    )
    assert in_other_order(checkpoint(ARRIVAL_ORDER, ""), 0, PHOTOS) == Coverage("", (), 0, 0)
