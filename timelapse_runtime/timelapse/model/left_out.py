"""What a reel says of objects that were uploaded and did not become frames: rejected photos, and what is no photo.

Whoever may read the video reads this too, so an ignored object, which may be anything, is told without its name. It is
for people: the truth are the rejection records, and the photos' bucket.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace

REJECTED, IGNORED = "rejected", "ignored"
MOST_BYTES = 16_384
"""Of a reel's notes, as JSON: about 120 of them. The newest stay: they are in each checkpoint and in `video.m3u8`."""
_RUN_MS = 600_000
"""Objects that are ignored for the same reason, each so soon after the one before, are one note."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rejected photo (`key`, relative to the stream's prefix), or a run of `count` ignored objects (no key).

    `frame` is the number in the reel of the frame that came next when the first of them was found; the reel may end
    before it. `reason` is that of the rejection record, or of the photo filter.
    """

    kind: str
    reason: str
    frame: int
    first_epoch_ms: int
    last_epoch_ms: int
    count: int = 1
    key: str = ""

    def to_json(self) -> str:
        """In one line of ASCII."""
        return json.dumps(asdict(self), separators=(",", ":"))


def with_notes(before: Iterable[LeftOut], added: Iterable[LeftOut], in_video: Collection[str]) -> tuple[LeftOut, ...]:
    """`before` and `added`, oldest first, without rejected photos whose keys are `in_video`, within MOST_BYTES.

    Of the notes of one key and reason the first stays: an event may come twice.
    """
    notes: dict[object, LeftOut] = {}
    run: LeftOut | None = None
    for note in (*before, *added):
        if note.kind == REJECTED:
            if note.key in in_video:
                notes.pop(note.key, None)
            elif note.key not in notes or notes[note.key].reason != note.reason:
                notes.pop(note.key, None)
                notes[note.key] = note
            continue
        if run and run.reason == note.reason and note.first_epoch_ms - run.last_epoch_ms <= _RUN_MS:
            run = replace(run, last_epoch_ms=note.last_epoch_ms, count=run.count + note.count)
        else:
            run = note
        notes[run.first_epoch_ms, run.reason] = run
    kept, size = list[LeftOut](), 0
    for note in reversed(notes.values()):
        size += len(note.to_json()) + 1
        if size > MOST_BYTES:
            break
        kept.append(note)
    return tuple(reversed(kept))
