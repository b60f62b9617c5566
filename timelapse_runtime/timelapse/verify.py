"""Verifies a stream: is every photo in the video once, in order, or in a rejection record, and does all of it play?

Reads everything and trusts nothing but the listing of the photos. Changes nothing. What the video
says of itself (the provenance boxes) is checked against its pictures: each segment is decoded whole.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

from timelapse_runtime.runtime.clock import Clock, SystemClock
from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.catalog import Catalog
from timelapse_runtime.timelapse.commit_plan import reel_object_keys, segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt, SegmentCorrupt
from timelapse_runtime.timelapse.model.checkpoint import NAME_ORDER, Checkpoint, Reel, Segment, checksum
from timelapse_runtime.timelapse.model.frame_times import TICKS_PER_FRAME
from timelapse_runtime.timelapse.model.keys import StreamKeys, key_order, reel_number
from timelapse_runtime.timelapse.model.photo_filter import DEFAULT_FILTER, PhotoFilter
from timelapse_runtime.timelapse.model.playlist import (
    earlier_index_playlist,
    index_playlist,
    live_playlist,
    main_playlist,
    ranges_playlist,
    video_playlist,
)
from timelapse_runtime.timelapse.model.segment_versions import SegmentVersions
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame, highest_in_order, out_of_order
from timelapse_runtime.timelapse.model.stored_editions import StoredEditions
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.stored_reels import read_from_video, reels_from
from timelapse_runtime.timelapse.verify_photos import FlushRule, PhotoComparison
from timelapse_runtime.timelapse.verify_pictures import check_pictures
from timelapse_runtime.timelapse.verify_report import Finding, VerifyReport, counted, duration
from timelapse_runtime.timelapse.verify_video import VideoCheck
from timelapse_runtime.timelapse.video.boxes import read_sources
from timelapse_runtime.timelapse.video.codec import Codec, X264Codec
from timelapse_runtime.timelapse.video.init_segment import is_init_segment
from timelapse_runtime.timelapse.video.sample_table import SampleTable

_FOLDERS_TRIED = 5


class Verifier:
    """Verifies one stream. `folder` is the stream's in the video bucket, `prefix` its photos' in the frames bucket;
    `include` tells the photos among the objects there, as TIMELAPSE_INCLUDE does for the function, and `rule` how long
    a photo may wait."""

    def __init__(
        self,
        frames: Store,
        video: Store,
        folder: str,
        prefix: str,
        codec: Codec | None = None,
        *,
        include: PhotoFilter = DEFAULT_FILTER,
        rule: FlushRule | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._frames, self._video, self._prefix, self._codec = frames, video, prefix, codec or X264Codec()
        self._keys, self._include = StreamKeys(folder), include
        self._rule, self._clock = rule or FlushRule(), clock or SystemClock()
        self._catalog = Catalog(frames, video, self._keys, prefix, include)
        self.report = VerifyReport()

    def run(self) -> VerifyReport:
        """Look at everything. Raises StorageError if the cause is S3, not the stream."""
        objects = {info.key: info for info in self._video.list_after(self._keys.folder)}
        try:
            checkpoint = read_checkpoint(self._video, self._keys).checkpoint
        except ObjectNotFound:
            self._look_without_checkpoint(objects)
        except CheckpointCorrupt as error:
            self.report.add("checkpoint-corrupt", self._keys.checkpoint, str(error))
        else:
            self._look(checkpoint, objects)
        return self.report

    def _look(self, checkpoint: Checkpoint, objects: Mapping[str, ObjectInfo]) -> None:
        self.report.order = checkpoint.order
        reels = list(self._reels(checkpoint))
        frames = [frame for reel in reels for frame in self._read_reel(reel, objects)]
        self.report.frame_count, self.report.removed_count = len(frames), sum(reel.removed_count for reel in reels)
        self.report.adopted_count = sum(not frame.is_photo for frame in frames)
        self._compare_photos(
            checkpoint, [frame for frame in frames if frame.is_photo and frame.role is not Role.STAND_IN], objects
        )
        self._find_orphans(checkpoint, reels, objects)
        for reel in reels:
            self._check_derived(reel, checkpoint)
            check_pictures(self._video, self._keys, self._codec, reel, objects, self.report)

    def _look_without_checkpoint(self, objects: Mapping[str, ObjectInfo]) -> None:
        damage, nothing = describe_folder(self._video, self._keys)
        if damage is not None:
            self.report.findings.append(damage)
        self._compare_photos(None, (), objects)
        if self.report.rejected:
            return  # these are settled, and others wait
        source, pending = self.report.source, self.report.pending
        waited = f"the oldest for {duration(self.report.oldest_pending_seconds)}"
        photos = (
            f"{counted(len(pending), 'photo')} waiting at {source}, {waited}" if pending else f"no photo at {source}"
        )
        self.report.nothing = f"{nothing}; {photos}"

    def _compare_photos(
        self, checkpoint: Checkpoint | None, in_video: Sequence[SourceFrame], objects: Collection[str]
    ) -> None:
        comparison = PhotoComparison(
            self._frames,
            self._video,
            self._keys,
            self._prefix,
            self.report,
            include=self._include,
            order=NAME_ORDER if checkpoint is None else checkpoint.order,
            rule=self._rule,
            now_epoch_ms=self._clock.now_epoch_ms(),
        )
        comparison.run(checkpoint, in_video, objects)

    def _reels(self, checkpoint: Checkpoint) -> Iterator[Reel]:
        """All reels, oldest first."""
        found = list[Reel]()
        try:
            for reel in reels_from(self._video, self._keys, checkpoint.reel):
                found.append(reel)  # those before one that cannot be read count
        except (ObjectNotFound, CheckpointCorrupt) as error:
            self.report.add("manifest-missing", self._keys.manifest(found[-1].previous or ""), str(error))
        yield from reversed(found)

    def _read_reel(self, reel: Reel, objects: Mapping[str, ObjectInfo]) -> list[SourceFrame]:
        """The photos of a reel's frames, in the video's order, as far as they can be read."""
        try:
            init_segment = self._video.get(self._keys.init(reel.path)).body
        except ObjectNotFound:
            self.report.add("init-missing", self._keys.init(reel.path), f"reel {reel.name} does not play without it")
            init_segment = b""
        start_ticks = reel.reorder_frames * TICKS_PER_FRAME
        if init_segment and not is_init_segment(init_segment, reel.init_sha256, start_ticks=start_ticks):
            self.report.add("init-changed", self._keys.init(reel.path), "it is not what the reel was begun with")
        found: list[SourceFrame] = []
        last_key = reel.after
        for position, segment in enumerate(reel.segments):
            found += self._read_segment(reel, position, last_key, init_segment, objects)
            last_key = segment.last_key
        in_order = [frame.position for frame in found if frame.is_photo and frame.role is not Role.OUT_OF_ORDER]
        if reel.order == NAME_ORDER:
            for before, after in itertools.pairwise(in_order):
                if key_order(after) < key_order(before):
                    self.report.add("disordered", reel.name, f"{after} comes after {before}")
        return found

    def _read_segment(
        self, reel: Reel, position: int, last_key: str, init_segment: bytes, objects: Mapping[str, ObjectInfo]
    ) -> list[SourceFrame]:
        segment = reel.segments[position]
        where = segment_key(self._keys, reel, segment)
        if where not in objects:
            if not reel.is_closed:
                self.report.add("segment-missing", where, f"{segment.count} frames from {segment.first} on are gone")
            return self._from_video(reel, position, last_key, init_segment)
        return self._read_frames(reel, segment, last_key, init_segment, self._video.get(where).body, where)

    def _from_video(self, reel: Reel, position: int, last_key: str, init_segment: bytes) -> list[SourceFrame]:
        """A closed reel may live in its video.mp4 alone."""
        if not reel.is_closed:
            return []
        segment, where = reel.segments[position], self._keys.video(reel.path)
        try:
            body = read_from_video(self._video, self._keys, reel, position)
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
            frames = read_sources(body)
            highest = highest_in_order(frames, last_key)
            if (len(frames), out_of_order(frames, last_key), highest) != (
                segment.count,
                segment.out_of_order,
                segment.last_key,
            ):
                claimed = f"{segment.count} frames to {segment.last_key}"
                self.report.add("segment-frames", where, f"it names {len(frames)} photos; claimed are {claimed}")
            self._check_duration(segment, body, where)
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

    def _check_duration(self, segment: Segment, body: bytes, where: str) -> None:
        """Raises SegmentCorrupt."""
        table = SampleTable()
        table.append(body)
        if table.ticks != segment.ticks:
            self.report.add("segment-time", where, f"it takes {table.ticks} ticks; {segment.ticks} are claimed")

    def _find_orphans(self, checkpoint: Checkpoint, reels: list[Reel], objects: Mapping[str, ObjectInfo]) -> None:
        """An init segment that was prepared for a future reel is not one: a sweep leaves it alone, too. Neither is a
        segment that a longer one has replaced, or another edition of a reel: they wait for their removal by a sweep."""
        keys = self._keys
        settled = {keys.checkpoint, keys.settings, keys.live, keys.newest_video, keys.main, keys.week, keys.latest}
        settled |= {keys.ahead_part(part.attempt) for part in checkpoint.ahead_parts}
        for reel in reels:
            named = reel_object_keys(keys, reel)
            of_reel = [info for where, info in objects.items() if where.startswith(keys.reel(reel.name))]
            shown = StoredEditions(keys, reel, of_reel).shown
            segments = [info for info in shown if info.key.startswith(keys.segments(reel.path))]
            strays = SegmentVersions(reel, segments).strays(named)
            settled |= named | {info.key for info in of_reel if info not in shown}
            settled |= {info.key for info in segments}.difference(strays)
        for where in sorted(objects):
            name, _, rest = where.removeprefix(keys.reels).partition("/")
            is_ready = rest == "init.mp4" and reel_number(name) > (reels[-1].number if reels else 0)
            if where not in settled and not is_ready and not where.startswith((keys.rejections, keys.kept)):
                size_bytes = objects[where].size_bytes
                self.report.add("orphan", where, f"nothing names it ({size_bytes} bytes); a sweep removes segments")

    def _check_derived(self, reel: Reel, checkpoint: Checkpoint) -> None:
        video = VideoCheck(self._video, self._keys, reel, self.report)
        video.run()
        expected = {self._keys.index(reel.name): index_playlist(reel)}
        if reel.is_closed and video.head_size_bytes is not None:
            ranges = expected[self._keys.ranges(reel.name)] = ranges_playlist(reel, video.head_size_bytes)
            if reel.video_etag:
                expected[self._keys.index(reel.name)] = ranges
        elif video.is_earlier and reel != checkpoint.reel:
            expected = {self._keys.index(reel.name): earlier_index_playlist(reel)}
        if reel == checkpoint.reel:
            expected[self._keys.live] = live_playlist(checkpoint)
            expected[self._keys.newest_video] = video_playlist(reel)
            expected[self._keys.main] = main_playlist(reel)
        for where, body in expected.items():
            if body is None:
                continue  # it would have no segment, and is not written
            try:
                if self._video.get(where).body != body:
                    self.report.add("playlist", where, "it is not what the checkpoint says; a sweep renews it")
            except ObjectNotFound:
                self.report.add("playlist", where, "there is none; a sweep writes it")


def describe_folder(video: Store, keys: StreamKeys) -> tuple[Finding | None, str]:
    """What a folder without a checkpoint is: a stream that has lost it (a finding), or something else (a sentence).

    Settings, rejection records and copies of photos may be there before the first commit. Raises StorageError.
    """
    place = f"s3://{video.bucket}/{keys.folder}"
    found = [info.key for info in video.list_after(keys.folder)]
    if streams := _streams_in(video, keys.folder):
        return None, f"{place} is not a stream but a folder of streams: name one of them, such as {streams[0]}"
    if any(where.startswith(keys.reels) or where in (keys.live, keys.newest_video, keys.latest) for where in found):
        return Finding("checkpoint-missing", keys.checkpoint, f"there is none, and {len(found)} other objects"), ""
    settled = (keys.rejections, keys.kept, keys.ahead_parts, keys.settings)
    others = [where for where in found if not where.startswith(settled)]
    if others:
        return None, f"no video at {place}: there are {len(others)} other objects, such as {others[0]}"
    parent = keys.folder.rstrip("/").rpartition("/")[0]
    beside = [] if not keys.folder else _streams_in(video, f"{parent}/" if parent else "")
    known = f" (there are {', '.join(beside)})" if beside else ""
    return None, f"no video at {place}{known}"


def _streams_in(video: Store, folder: str) -> list[str]:
    """The first few streams in a folder, by their checkpoints."""
    found = []
    for inner in itertools.islice(video.list_folders(folder), _FOLDERS_TRIED):
        with contextlib.suppress(ObjectNotFound):
            video.head(StreamKeys(inner).checkpoint)
            found.append(f"s3://{video.bucket}/{inner}")
    return found
