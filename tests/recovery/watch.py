"""What must hold after every single change of the video bucket, whichever process made it and whatever happens to it
next.

Checks at the end alone are not enough: without compare-and-swap, later commits repair the video, and only the watermark
that went back in between shows the bug. Violations are gathered, not raised: the product may not swallow them.
"""

from __future__ import annotations

import itertools
import json
import re
import traceback
from collections.abc import Iterator, Sequence

from tests.fragments import TICKS, number_and_times
from tests.hls import MediaPlaylist, check_handed_over, check_remade, check_update
from tests.recovery.fake_media import (
    FakeCodec,
    moofs_in,
    next_mark,
    photos_and_marks_in,
    photos_in,
    photos_in_picture,
    qualities_in,
    sources_in,
)
from tests.world import STREAM, World
from timelapse_runtime.timelapse.commit_plan import segment_key
from timelapse_runtime.timelapse.errors import CheckpointCorrupt
from timelapse_runtime.timelapse.model.checkpoint import AheadPart, Checkpoint, Reel, Segment, checksum, reel_from_value
from timelapse_runtime.timelapse.model.frame_times import BEFORE_A_REEL, FrameTime, Pacing
from timelapse_runtime.timelapse.model.keys import DAY_PICTURES, EDITION, edition_number, key_order, reel_number
from timelapse_runtime.timelapse.model.segment_versions import LONGEST_COMMIT_SECONDS, VIEWED_SECONDS
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame
from timelapse_runtime.timelapse.video.boxes import read_sources
from timelapse_runtime.timelapse.video.sample_table import SampleTable, head_size_bytes

HOLD = "TIMELAPSE_HOLD_SECONDS"
FIRST_ADOPTED = 1_000_000
MUTATIONS = frozenset({"PutObject", "CompleteMultipartUpload", "DeleteObjects"})


class Watch:
    """Looks at `world.video` without requests. `shows_photos` says that the pictures are fake media's."""

    def __init__(self, world: World, *, shows_photos: bool = True) -> None:
        self.violations: list[str] = []
        self.uploaded: dict[str, None] = {}
        self.overtaken: set[str] = set()
        """Photos uploaded after later ones: until their event or a sweep comes, nothing need know of them."""
        self.is_damaged = False
        """A segment was destroyed: less may be stored than the checkpoint says."""
        self._world, self._shows_photos = world, shows_photos
        self._has_filters = isinstance(world.codec, FakeCodec) and world.codec.has_filters
        self._stored: bytes | None = None
        self._checkpoint: Checkpoint | None = None
        self._sources: dict[str, tuple[bytes, list[tuple[str, Role]]]] = {}
        self._marked: dict[str, tuple[bytes, int, int]] = {}
        """Of segments whose marks were checked: the bytes, and the marks before and at the end."""
        self._qualities: dict[str, tuple[bytes, frozenset[int]]] = {}
        """Of segments: the bytes, and what quality they show."""
        variables = world.variables()
        self._hold_frames = int(variables.get("TIMELAPSE_FPS", "30")) * int(variables.get(HOLD, "2"))
        self._timed: dict[str, tuple[bytes, FrameTime, int, FrameTime, int]] = {}
        """Of segments: the bytes, the time of the frame before and the tick at which it is decoded, and both after
        it."""
        self._playlists: dict[str, MediaPlaylist] = {}
        self._viewers: list[tuple[int, set[str]]] = []
        self._stored_epoch_ms: dict[str, int] = {}
        """When each segment was stored."""
        self._video_bytes: dict[str, int] = {}

    def upload(self, key: str) -> None:
        """The camera put a photo there."""
        if any(key_order(other) > key_order(key) for other in self.uploaded):
            self.overtaken.add(key)
        self.uploaded[key] = None

    def after(self, operation: str, key: str) -> None:
        """A request took effect."""
        if operation not in MUTATIONS or key.endswith("latest.jpg"):
            return
        if "/segments/" in key:
            self._stored_epoch_ms[key] = self._world.clock.now_epoch_ms()
        where = f"after {operation} {key.removeprefix(self._world.keys.folder)}"
        for violation in self._check(key, is_removal=operation == "DeleteObjects"):
            self.violations.append(f"{where}: {violation}")

    def video(self) -> list[tuple[str, Role]]:
        """The committed frames in video order."""
        found: list[tuple[str, Role]] = []
        reels = list(self._reels(self._checkpoint.reel)) if self._checkpoint else []
        for reel in reversed(reels):
            for segment in reel.segments:
                found += self._frames(reel, segment)
        return found

    def _body(self, reel: Reel, segment: Segment) -> bytes | None:
        """A segment's bytes: of one that may be removed, those that `video.mp4` has."""
        keys, peek = self._world.keys, self._world.video.peek
        video = peek(keys.video(reel.path)) if reel.video_etag else None
        if video is None:
            return peek(segment_key(keys, reel, segment))
        start = len(video) - sum(one.size_bytes for one in reel.segments if one.first >= segment.first)
        return video[start : start + segment.size_bytes]

    def _check(self, key: str, *, is_removal: bool) -> Iterator[str]:
        yield from self._check_progress()
        checkpoint = self._checkpoint
        reels = list(self._reels(checkpoint.reel)) if checkpoint else []
        if not self.is_damaged:
            yield from self._check_segments(reels)
            yield from self._check_sum(checkpoint, reels)
            yield from self._check_marks(reels)
            yield from self._check_settings(reels)
            yield from self._check_times(reels)
            yield from self._check_pictures(reels, key)
        keys, paths = self._world.keys, {reel.name: reel.path for reel in reels}
        for name in paths if is_removal else {key.removeprefix(self._world.keys.reels).partition("/")[0]}:
            for where in (keys.index(name), keys.ranges(name), keys.video(paths.get(name, name))):
                if is_removal or key == where:
                    yield from self._check_derived(where, reels)
        for where in (keys.live, keys.newest_video):
            if is_removal or key == where:
                yield from self._check_derived(where, reels)
        if is_removal and not self.is_damaged:
            yield from self._check_viewers(reels)

    def _check_segments(self, reels: list[Reel]) -> Iterator[str]:
        for reel in reels:
            for segment in reel.segments:
                where = segment_key(self._world.keys, reel, segment)
                body = self._body(reel, segment)
                if body is None or len(body) != segment.size_bytes:
                    yield f"{where} should have {segment.size_bytes} bytes; it has {body and len(body)}"
                elif reel.video_etag and checksum(body) != segment.crc32:
                    yield f"{where} may be removed, and video.mp4 does not hold it"
                if segment.count > reel.keyframe_interval:
                    yield f"{where} has more frames than the {reel.keyframe_interval} from keyframe to keyframe"

    def _part_of(self, attempt: str) -> AheadPart:
        where = self._world.keys.ahead_part(attempt)
        body = self._world.video.peek(where)
        if body is None:
            self.violations.append(f"the checkpoint names {where}, which is not there")
        return AheadPart.from_json(attempt, body or b"[]")

    def _check_progress(self) -> Iterator[str]:
        stored = self._world.video.peek(self._world.keys.checkpoint)
        if stored == self._stored:
            for part in self._checkpoint.ahead_parts if self._checkpoint else ():
                self._part_of(part.attempt)
            return
        if stored is None:
            yield "the checkpoint is gone"
            return
        try:
            checkpoint, before = Checkpoint.from_json(stored, self._part_of), self._checkpoint
        except CheckpointCorrupt as error:
            yield str(error)
            return
        if checkpoint.generation != (before.generation if before else 0) + 1:
            yield f"generation {checkpoint.generation} follows {before.generation if before else 0}"
        is_same_order = before is not None and checkpoint.order == before.order
        if before and is_same_order and key_order(checkpoint.watermark) < key_order(before.watermark):
            yield f"the watermark goes back from {before.watermark} to {checkpoint.watermark}"
        self._stored, self._checkpoint = stored, checkpoint
        if before is not None:
            self._note_viewers(before, checkpoint)

    def _note_reader(self, where: str, playlist: MediaPlaylist) -> None:
        """Somebody loads a playlist just before it changes."""
        folder = where.rpartition("/")[0]
        self._viewers.append((self._world.clock.now_epoch_ms(), {f"{folder}/{one.uri}" for one in playlist.entries}))

    def _note_viewers(self, before: Checkpoint, after: Checkpoint) -> None:
        """Somebody loads `video.m3u8` just before the commit that makes it old. Of no account are one that a crash left
        behind, and a commit that took longer than an invocation may."""
        now, playlist = self._world.clock.now_epoch_ms(), self._playlists.get(self._world.keys.newest_video)
        named, new = self._segment_keys(before), self._segment_keys(after) - self._segment_keys(before)
        was_slow = any(now - self._stored_epoch_ms[key] > 1000 * LONGEST_COMMIT_SECONDS for key in new)
        uris = {f"{self._world.keys.folder}{entry.uri}" for entry in playlist.entries} if playlist else set[str]()
        if uris <= named and not was_slow:
            self._viewers.append((now, uris))

    def _segment_keys(self, checkpoint: Checkpoint) -> set[str]:
        reel = checkpoint.reel
        return {segment_key(self._world.keys, reel, segment) for segment in reel.segments} if reel else set()

    def _reels(self, reel: Reel | None) -> Iterator[Reel]:
        while reel is not None:
            yield reel
            if reel.previous is None:
                return
            manifest = self._world.video.peek(self._world.keys.manifest(reel.previous))
            if manifest is None:
                self.violations.append(f"reel {reel.name} follows {reel.previous}, which has no manifest")
                return
            reel = reel_from_value(json.loads(manifest))

    def _check_sum(self, checkpoint: Checkpoint | None, reels: list[Reel]) -> Iterator[str]:
        """Every photo is in exactly one state: in the video once, rejected, or pending."""
        video: dict[str, int] = {}
        frames = 0
        for reel in reels:
            for segment in reel.segments:
                for key, role in self._frames(reel, segment):
                    frames += 1
                    if role is not Role.STAND_IN:
                        video[key] = video.get(key, 0) + 1
        yield from (f"{key} is in the video {times} times" for key, times in video.items() if times > 1)
        removed = sum(reel.removed_count for reel in reels)
        if checkpoint is not None and checkpoint.frame_count != frames + removed:
            yield f"the checkpoint counts {checkpoint.frame_count} frames; the video has {frames}, {removed} less"
        ahead = frozenset(checkpoint.ahead) if checkpoint else frozenset()
        watermark = key_order(checkpoint.watermark) if checkpoint else b""
        for key in self.uploaded:
            is_covered = key in ahead or key_order(key) <= watermark
            is_rejected = self._world.video.peek(self._world.keys.rejected(key)) is not None
            if is_covered and not (key in video or is_rejected or key in self.overtaken):
                yield f"{key} is covered, and neither in the video nor rejected"
            if key in video and not is_covered:
                yield f"{key} is in the video, and not covered"

    def _check_marks(self, reels: list[Reel]) -> Iterator[str]:
        """The filter saw each frame of a reel once, in order, whatever ended between two of them."""
        for reel in reels if self._has_filters else ():
            mark = 0
            for segment in reel.segments:
                where = segment_key(self._world.keys, reel, segment)
                body = self._body(reel, segment) or b""
                known = self._marked.get(where)
                if known is None or known[0] != body or known[1] != mark:
                    before, roles = mark, [one.role for one in sources_in(body)]
                    for (photo, shown), role in zip(photos_and_marks_in(body), roles, strict=True):
                        mark = mark if role in (Role.STAND_IN, Role.ADOPTED) else next_mark(mark, photo)
                        # Where a reel begins with a repeated frame, that is one of the reel before.
                        if mark and shown != mark:
                            yield f"{where} shows photo {photo} as a filter gives it that has seen other frames"
                    known = self._marked[where] = body, before, mark
                mark = known[2]

    def qualities(self) -> list[int]:
        """The quality of each committed segment, in video order; the lowest, if it has several."""
        reels = list(self._reels(self._checkpoint.reel)) if self._checkpoint else []
        return [min(qualities) for _, qualities in self._segment_qualities(reels)]

    def _check_settings(self, reels: list[Reel]) -> Iterator[str]:
        """A change of the stream's settings (here always to a greater quality) begins a segment, and no frame goes back
        to those before."""
        newest = 0
        for where, qualities in self._segment_qualities(reels if self._shows_photos else []):
            if len(qualities) != 1:
                yield f"{where} has frames of different settings: {sorted(qualities)}"
            if min(qualities) < newest:
                yield f"{where} goes back to settings before: {min(qualities)} follows {newest}"
            newest = max(qualities)

    def _segment_qualities(self, reels: list[Reel]) -> Iterator[tuple[str, frozenset[int]]]:
        for reel in reversed(reels):
            for segment in reel.segments:
                where = segment_key(self._world.keys, reel, segment)
                body = self._body(reel, segment) or b""
                known = self._qualities.get(where)
                if known is None or known[0] != body:
                    known = self._qualities[where] = body, qualities_in(body)
                if known[1]:
                    yield where, known[1]

    def _check_times(self, reels: list[Reel]) -> Iterator[str]:
        """Each frame of a reel by capture times is shown when the rule says, by all photos of the reel up to it; each
        segment is as long as it claims, and not too long."""
        for reel in reels if isinstance(self._world.codec, FakeCodec) else ():
            hold = min(self._hold_frames, reel.keyframe_interval) * TICKS
            rule, time, start = Pacing(reel.speed, reel.fps, hold), BEFORE_A_REEL, 0
            for segment in reel.segments if reel.speed else ():
                where = segment_key(self._world.keys, reel, segment)
                body = self._body(reel, segment) or b""
                known = self._timed.get(where)
                if known is None or known[:3] != (body, time, start):
                    samples = [sample for moof in moofs_in(body) for sample in number_and_times(moof)[1]]
                    decoded = itertools.accumulate((duration for duration, _ in samples), initial=start)
                    shown = sorted(tick + offset for tick, (_, offset) in zip(decoded, samples, strict=False))
                    before, expected = time, list[int]()
                    for source in read_sources(body):
                        time = rule.after(time, source)
                        expected.append(time.shown + reel.reorder_frames * TICKS)
                    if shown != expected:
                        yield f"{where} shows its frames at {shown}; {expected} was to come"
                    duration = sum(duration for duration, _ in samples)
                    if duration != segment.duration_ticks or duration > reel.keyframe_interval * TICKS:
                        yield f"{where} takes {duration} ticks and claims {segment.duration_ticks}"
                    known = self._timed[where] = body, before, start, time, start + duration
                time, start = known[3:]

    def _check_pictures(self, reels: list[Reel], where: str) -> Iterator[str]:
        """The picture of the day that was written shows the first frames of its reel, all of them committed, each once.
        One of an edition that is not shown yet has no reel here."""
        for reel in reels if where.endswith(".png") and isinstance(self._world.codec, FakeCodec) else ():
            if where in {self._world.keys.picture(reel.path, kind) for kind in DAY_PICTURES}:
                shown = photos_in_picture(self._world.video.peek(where) or b"[]")
                bodies = [self._body(reel, segment) or b"" for segment in reel.segments]
                expected = [list(one) for body in bodies for one in photos_and_marks_in(body)]
                if shown != expected[: len(shown)]:
                    yield f"{where} shows {shown}; the reel has {expected}"

    def incomplete_pictures(self, kinds: Sequence[str]) -> Iterator[str]:
        """Those that lack frames of the reel that is shown, or are not there."""
        for reel in self._reels(self._checkpoint.reel if self._checkpoint else None):
            for kind in kinds:
                where = self._world.keys.picture(reel.path, kind)
                shown = len(photos_in_picture(self._world.video.peek(where) or b"[]"))
                if shown != reel.frame_count:
                    yield f"{where} shows {shown} of {reel.frame_count} frames"

    def _frames(self, reel: Reel, segment: Segment) -> list[tuple[str, Role]]:
        body, where = self._body(reel, segment), segment_key(self._world.keys, reel, segment)
        if body is None:
            return []
        known = self._sources.get(where)
        if known is None or known[0] != body:
            sources = sources_in(body)
            if self._shows_photos:
                claimed = [number_of(frame) for frame in sources if frame.role is not Role.STAND_IN]
                shown = [
                    photo
                    for photo, frame in zip(photos_in(body), sources, strict=True)
                    if frame.role is not Role.STAND_IN
                ]
                if claimed != shown:
                    self.violations.append(f"{where} names {claimed} and shows {shown}")
            known = self._sources[where] = body, [(frame.key, frame.role) for frame in sources]
        return known[1]

    def _check_derived(self, where: str, reels: list[Reel]) -> Iterator[str]:
        body = self._world.video.peek(where)
        if body is None:
            return
        if where.endswith("video.mp4"):
            yield from self._check_video(where, body, reels)
            return
        try:
            playlist, before = MediaPlaylist.parse(body), self._playlists.get(where)
            if before is not None and before.lines != playlist.lines and not self.is_damaged:
                self._check_version(where, before, playlist, reels)
        except AssertionError as error:
            rule = traceback.extract_tb(error.__traceback__)[-1].line
            yield f"{where} breaks a rule of RFC 8216: {rule} {error}"
            return
        self._playlists[where] = playlist
        for entry in playlist.entries:
            named = self._world.video.peek(f"{where.rpartition('/')[0]}/{entry.uri}")
            if named is None or (entry.byte_range and sum(entry.byte_range) > len(named)):
                yield f"{where} names {entry.uri}, which is not there or too short"

    def _check_version(self, where: str, before: MediaPlaylist, after: MediaPlaylist, reels: list[Reel]) -> None:
        """Raises AssertionError if the playlist must not change so. Somebody has loaded the one before just now."""
        editions = [edition_number(_edition_of(one)) for one in (before, after)]
        is_of_a_reel = where not in (self._world.keys.live, self._world.keys.newest_video)
        if where == self._world.keys.newest_video:
            numbers = [reel_number(one.entries[0].map.split("/")[1]) for one in (before, after)]
            places = list(zip(numbers, editions, strict=True))
            assert places[0] <= places[1], "it goes back to an earlier reel or edition"
            assert places[0] != places[1] or before.seconds <= after.seconds, "it goes back"
            return  # viewers are noted at the commit (`_note_viewers`)
        if is_of_a_reel and editions[0] != editions[1]:
            assert editions[0] < editions[1], "it goes back to an earlier edition"
            check_remade(before, after)
            self._note_reader(where, before)
        elif where.endswith("/index.m3u8") and before.has_end:
            check_handed_over(before, after)
            self._note_reader(where, before)
        elif is_of_a_reel:
            check_update(before, after)
        else:
            shown = tuple(f"reels/{reel.path}/segments/" for reel in reels)
            check_update(before, after, withdrawn={one.uri for one in before.entries if not one.uri.startswith(shown)})
            self._note_reader(where, before)

    def _check_viewers(self, reels: list[Reel]) -> Iterator[str]:
        """Who loaded a playlist before it became old plays it to its end, but for reels that photos were removed from:
        their objects go at once."""
        oldest_epoch_ms = self._world.clock.now_epoch_ms() - VIEWED_SECONDS * 1000
        self._viewers = [viewer for viewer in self._viewers if viewer[0] > oldest_epoch_ms]
        withdrawn = tuple(self._world.keys.reel(reel.name) for reel in reels if reel.removed_count)
        for uri in sorted({uri for _, uris in self._viewers for uri in uris}):
            if self._world.video.peek(uri) is None and not uri.startswith(withdrawn):
                yield f"a viewer who loaded a playlist within the last hour asks for {uri}, which is gone"

    def _check_video(self, where: str, body: bytes, reels: list[Reel]) -> Iterator[str]:
        named = [reel for reel in reels if self._world.keys.video(reel.path) == where]
        if not named:
            yield f"{where} belongs to no reel"
            return
        if self.is_damaged:
            return
        reel, peek = named[0], self._world.video.peek
        head_bytes = head_size_bytes(body)
        media, table = body[head_bytes:], SampleTable()
        committed = b"".join(self._body(reel, segment) or b"" for segment in reel.segments)
        if not committed.startswith(media):
            yield f"{where} ({len(media)} bytes of media) holds what is not committed ({len(committed)} bytes)"
            return
        table.append(media)
        if head_bytes is None or body[:head_bytes] != table.head(peek(self._world.keys.init(reel.path)) or b""):
            yield f"{where} has the head of another video"
        if len(media) < self._video_bytes.get(where, 0):
            yield f"{where} shrinks from {self._video_bytes[where]} to {len(media)} bytes of media"
        self._video_bytes[where] = len(media)


def number_of(frame: SourceFrame) -> int:
    """What the frame's picture must show: the photo's number, or that of the adopted frame above all photos'."""
    return int(frame.key[:6]) if frame.is_photo else FIRST_ADOPTED + int(frame.key.partition("#")[2])


def _edition_of(playlist: MediaPlaylist) -> str:
    """The edition of the first segment's reel; empty: the recorded one."""
    parts = playlist.entries[0].map.split("/")
    return next((part for part in parts if re.fullmatch(EDITION, part)), "")


def stream_key(key: str) -> str:
    """A frame's key in the frames bucket."""
    return f"frames/{STREAM}/{key}"
