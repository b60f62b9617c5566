"""Verifies a stream: is every photo in the video once, in order, or in a rejection record, and does all of it play?

Reads everything and trusts nothing but the listing of the photos. Changes nothing. What the video
says of itself (the provenance boxes) is checked against its pictures: each segment is decoded whole.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.commit_plan import reel_object_keys, segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, ObjectNotFound, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import ARRIVAL_ORDER, NAME_ORDER, Checkpoint, Reel, Segment, checksum
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order, reel_number
from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER, PhotoFilter
from timelapse_runtime.timelapse.model.playlist import index_playlist, live_playlist
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame, out_of_order
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.video.boxes import read_provenance
from timelapse_runtime.timelapse.video.codec import Codec, X264Codec


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong: a stable word, where, and a sentence."""

    kind: str
    where: str
    detail: str


@dataclass(slots=True)
class VerifyReport:
    """What was found. `pending` photos were uploaded and are not covered yet; that is no damage."""

    frame_count: int = 0
    rejected_count: int = 0
    uploaded_count: int = 0
    pending: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_right(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def add(self, kind: str, where: str, detail: str) -> None:
        """One more finding."""
        self.findings.append(Finding(kind, where, detail))


class Verifier:
    """Verifies one stream. `folder` is the stream's in the video bucket, `prefix` its photos' in the frames bucket;
    `include` tells the photos among the objects there, as TIMELAPSE_INCLUDE does for the function."""

    def __init__(
        self,
        frames: Store,
        video: Store,
        folder: str,
        prefix: str,
        codec: Codec | None = None,
        *,
        include: PhotoFilter = DEFAULT_FILTER,
    ) -> None:
        self._frames, self._video, self._prefix, self._codec = frames, video, prefix, codec or X264Codec()
        self._keys, self._order, self._include = StreamKeys(folder), NAME_ORDER, include
        self._catalog = Catalog(frames, video, self._keys, prefix, include)
        self.report = VerifyReport()

    def run(self) -> VerifyReport:
        """Look at everything. Raises StorageError if the cause is S3, not the stream."""
        objects = {info.key: info.size_bytes for info in self._video.list_after(self._keys.folder)}
        checkpoint = self._read_checkpoint(objects)
        if checkpoint is None:
            return self.report
        reels = list(self._reels(checkpoint))
        frames = [frame for reel in reels for frame in self._read_reel(reel, objects)]
        in_video = [frame for frame in frames if frame.role is not Role.STAND_IN]
        self.report.frame_count = len(frames)
        rejected = self._read_rejections(objects)
        self.report.rejected_count = len(rejected)
        self._compare(checkpoint, in_video, rejected)
        self._find_orphans(reels, objects)
        for reel in reels:
            self._check_derived(reel, is_current=reel == checkpoint.reel)
        return self.report

    def _read_checkpoint(self, objects: dict[str, int]) -> Checkpoint | None:
        where = self._keys.checkpoint
        try:
            checkpoint = Checkpoint.from_json(self._video.get(where).body)
        except ObjectNotFound:
            if objects:
                self.report.add("checkpoint-missing", where, f"there is none, and {len(objects)} other objects")
            self.report.pending = [key for key, _ in self._catalog.photos_after()]
            self.report.uploaded_count = len(self.report.pending)
        except CheckpointCorrupt as error:
            self.report.add("checkpoint-corrupt", where, str(error))
        else:
            self._order = checkpoint.order
            self._catalog = Catalog(self._frames, self._video, self._keys, self._prefix, self._include, self._order)
            return checkpoint
        return None

    def _reels(self, checkpoint: Checkpoint) -> Iterator[Reel]:
        """All reels, oldest first."""
        reel, found = checkpoint.reel, []
        while reel is not None:
            found.append(reel)
            if reel.previous is None:
                break
            try:
                reel = self._catalog.manifest(reel.previous)
            except (ObjectNotFound, CheckpointCorrupt) as error:
                self.report.add("manifest-missing", self._keys.manifest(reel.previous or ""), str(error))
                break
        yield from reversed(found)

    def _read_reel(self, reel: Reel, objects: dict[str, int]) -> list[SourceFrame]:
        """The photos of a reel's frames, in the video's order, as far as they can be read."""
        try:
            init_segment = self._video.get(self._keys.init(reel.name)).body
        except ObjectNotFound:
            self.report.add("init-missing", self._keys.init(reel.name), f"reel {reel.name} does not play without it")
            init_segment = b""
        if init_segment and hashlib.sha256(init_segment).hexdigest() != reel.init_sha256:
            self.report.add("init-changed", self._keys.init(reel.name), "it is not what the reel was begun with")
        found: list[SourceFrame] = []
        last_key = reel.after
        for segment in reel.segments:
            found += self._read_segment(reel, segment, last_key, init_segment, objects)
            last_key = segment.last_key
        in_order = [frame.position for frame in found if frame.role is not Role.OUT_OF_ORDER]
        if reel.order == NAME_ORDER:
            for before, after in itertools.pairwise(in_order):
                if key_order(after) < key_order(before):
                    self.report.add("disordered", reel.name, f"{after} comes after {before}")
        return found

    def _read_segment(
        self, reel: Reel, segment: Segment, last_key: str, init_segment: bytes, objects: dict[str, int]
    ) -> list[SourceFrame]:
        where = segment_key(self._keys, reel, segment)
        if where not in objects:
            if not reel.is_closed:
                self.report.add("segment-missing", where, f"{segment.count} frames from {segment.first} on are gone")
            return self._from_video(reel, segment, last_key, init_segment)
        return self._read_frames(reel, segment, last_key, init_segment, self._video.get(where).body, where)

    def _from_video(self, reel: Reel, segment: Segment, last_key: str, init_segment: bytes) -> list[SourceFrame]:
        """A closed reel may live in its video.mp4 alone."""
        if not reel.is_closed:
            return []
        where, start = self._keys.video(reel.name), reel.init_size_bytes
        start += sum(earlier.size_bytes for earlier in reel.segments if earlier.first < segment.first)
        try:
            body = self._video.get_range(where, start, start + segment.size_bytes).body
        except ObjectNotFound:
            self.report.add("segment-missing", segment_key(self._keys, reel, segment), "and there is no video.mp4")
            return []
        return self._read_frames(reel, segment, last_key, init_segment, body, where)

    def _read_frames(
        self, reel: Reel, segment: Segment, last_key: str, init_segment: bytes, body: bytes, where: str
    ) -> list[SourceFrame]:
        if len(body) != segment.size_bytes:
            claimed = f"{len(body)} bytes; the checkpoint claims {segment.size_bytes}"
            self.report.add("segment-size", where, claimed)
        elif checksum(body) != segment.crc32:
            claimed = f"its CRC-32 is {checksum(body)}; the checkpoint claims {segment.crc32}"
            self.report.add("segment-changed", where, claimed)
        try:
            frames = [frame for part in read_provenance(body) for frame in part.frames]
            in_order = [frame.position for frame in frames if frame.role is not Role.OUT_OF_ORDER]
            highest = max([last_key, *in_order], key=key_order)
            if (len(frames), out_of_order(frames, last_key), highest) != (
                segment.count,
                segment.out_of_order,
                segment.last_key,
            ):
                claimed = f"{segment.count} frames to {segment.last_key}"
                self.report.add("segment-frames", where, f"it names {len(frames)} photos; claimed are {claimed}")
        except SegmentCorrupt as error:
            self.report.add("undecodable", where, str(error))
            return []
        try:
            self._codec.decode_segment(
                init_segment,
                body,
                first=segment.first,
                count=segment.count,
                reorder_frames=reel.reorder_frames,
            )
        except SegmentCorrupt as error:
            self.report.add("undecodable", where, str(error))
        return frames

    def _read_rejections(self, objects: dict[str, int]) -> set[tuple[str, str | None]]:
        """The rejected photos: key, and ETag where it is known and counts."""
        found = set[tuple[str, str | None]]()
        for where in objects:
            if where.startswith(self._keys.rejections):
                try:
                    record = json.loads(self._video.get(where).body)
                    key, etag = str(record["key"]).removeprefix(self._prefix), record.get("etag")
                except (ValueError, KeyError, TypeError) as error:
                    self.report.add("rejection-corrupt", where, repr(error))
                else:
                    found.add((key, etag if self._order == ARRIVAL_ORDER else None))
        return found

    def _compare(
        self, checkpoint: Checkpoint, in_video: list[SourceFrame], rejected: set[tuple[str, str | None]]
    ) -> None:
        seen: dict[str, SourceFrame] = {}
        for frame in in_video:
            if frame.position in seen:
                self.report.add("double", frame.key, "it is in the video more than once")
            seen[frame.position] = frame
        for frame in seen.values():
            if (frame.key, frame.etag or None) in rejected:
                self.report.add("rejected-and-in-video", frame.key, "a rejection record names it, and the video has it")
        self._compare_with_checkpoint(checkpoint, seen)
        known = {frame.identity for frame in seen.values()}
        # What a reel from before `TIMELAPSE_ORDER` was changed says of a photo.
        known_by_time = {(frame.key, frame.captured_epoch_ms) for frame in seen.values()}
        for key, info in self._catalog.listed_after():
            self.report.uploaded_count += 1
            photo = SourceFrame(key, info.last_modified_epoch_ms, etag=info.etag)
            position = self._catalog.position_of(key, info)
            is_known = position in seen or photo.identity in known or (key, photo.captured_epoch_ms) in known_by_time
            etag = info.etag if self._order == ARRIVAL_ORDER else None
            if is_known or (key, etag) in rejected or (key, None) in rejected:
                continue
            if self._is_covered(checkpoint, position):
                self.report.add("missing", key, "uploaded and covered, neither in the video nor rejected")
            else:
                self.report.pending.append(key)

    def _compare_with_checkpoint(self, checkpoint: Checkpoint, seen: dict[str, SourceFrame]) -> None:
        for position, frame in seen.items():
            is_of_this_order = bool(frame.etag) == (self._order == ARRIVAL_ORDER)
            if is_of_this_order and not self._is_covered(checkpoint, position):
                self.report.add("unclaimed", frame.key, "the video has it, and the checkpoint does not cover it")
        if checkpoint.frame_count != self.report.frame_count:
            detail = f"the checkpoint counts {checkpoint.frame_count} frames; the video has {self.report.frame_count}"
            self.report.add("frame-count", self._keys.checkpoint, detail)

    def _is_covered(self, checkpoint: Checkpoint, position: str) -> bool:
        return key_order(position) <= key_order(checkpoint.watermark) or position in checkpoint.ahead

    def _find_orphans(self, reels: list[Reel], objects: dict[str, int]) -> None:
        """An init segment that was prepared for a future reel is not one: a sweep leaves it alone, too."""
        named = {self._keys.checkpoint, self._keys.live, self._keys.latest}
        for reel in reels:
            named |= reel_object_keys(self._keys, reel)
        for where in sorted(objects):
            name, _, rest = where.removeprefix(self._keys.reels).partition("/")
            is_ready = rest == "init.mp4" and reel_number(name) > (reels[-1].number if reels else 0)
            if where not in named and not is_ready and not where.startswith((self._keys.rejections, self._keys.kept)):
                self.report.add("orphan", where, f"nothing names it ({objects[where]} bytes); a sweep removes segments")

    def _check_derived(self, reel: Reel, *, is_current: bool) -> None:
        expected = {self._keys.index(reel.name): index_playlist(reel)}
        if is_current:
            expected[self._keys.live] = live_playlist(reel)
        for where, body in expected.items():
            try:
                if self._video.get(where).body != body:
                    self.report.add("playlist", where, "it is not what the checkpoint says; a sweep renews it")
            except ObjectNotFound:
                self.report.add("playlist", where, "there is none; a sweep writes it")
        self._check_video(reel)

    def _check_video(self, reel: Reel) -> None:
        """`video.mp4` is the reel's bytes up to some point; of a closed reel, all of them."""
        where = self._keys.video(reel.name)
        try:
            info = self._video.head(where)
        except ObjectNotFound:
            self.report.add("video", where, "there is none; a sweep publishes it")
            return
        if info.size_bytes > reel.size_bytes or (reel.is_closed and info.size_bytes != reel.size_bytes):
            self.report.add("video", where, f"{info.size_bytes} bytes; the reel has {reel.size_bytes}")
            return
        position = 0
        for part, size_bytes in self._parts(reel):
            if position >= info.size_bytes:
                return
            end = min(position + size_bytes, info.size_bytes)
            try:
                stored = self._video.get(part).body[: end - position]
            except ObjectNotFound:
                stored = None  # reported already, or a closed reel's segment that was removed
            if stored is not None and stored != self._video.get_range(where, position, end, etag=info.etag).body:
                self.report.add("video", where, f"bytes {position} to {end} are not those of {part}")
                return
            position = end

    def _parts(self, reel: Reel) -> Iterator[tuple[str, int]]:
        yield self._keys.init(reel.name), reel.init_size_bytes
        for segment in reel.segments:
            yield segment_key(self._keys, reel, segment), segment.size_bytes
