"""Makes a closed reel again from its photos: the objects of an edition, which nothing names yet.

Reads, fits, filters and encodes as the function does, by the same parts. A reel begins with new filters, so its photos
are all that it takes. Owns nothing that outlives a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from timelapse_runtime.runtime.clock import Clock
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.state.contract import ObjectInfo, Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.runtime.state.put import Put
from timelapse_runtime.timelapse.commit_plan import IMMUTABLE, SEGMENT_TYPE, VIDEO_TYPE, SegmentData, segment_key
from timelapse_runtime.timelapse.config import Config
from timelapse_runtime.timelapse.day_pictures import DayPictures
from timelapse_runtime.timelapse.errors import FrameRejected, MissingPhotos
from timelapse_runtime.timelapse.ingest import with_next
from timelapse_runtime.timelapse.model.checkpoint import Reel, Segment
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.model.left_out import LeftOut
from timelapse_runtime.timelapse.model.quality import codec_named
from timelapse_runtime.timelapse.model.skip import SkipRules
from timelapse_runtime.timelapse.model.source_frame import Role, SourceFrame, photo_identity
from timelapse_runtime.timelapse.photo_reader import PhotoReader, PhotoRun, Prefetch, ReadElsewhere
from timelapse_runtime.timelapse.stored_reels import read_segment
from timelapse_runtime.timelapse.time_left import TimeLeft
from timelapse_runtime.timelapse.video.boxes import read_sources
from timelapse_runtime.timelapse.video.codec import Codec
from timelapse_runtime.timelapse.video.codec_name import codec_name
from timelapse_runtime.timelapse.video.decode import DecodedPhoto
from timelapse_runtime.timelapse.video_file import VideoFile
from timelapse_runtime.timelapse.writer import Cut, VideoWriter

_NO_DEADLINE = Deadline(10**15)


@dataclass(frozen=True, slots=True)
class MadeReel:
    """A reel's entry in an edition whose objects are all stored, and its last picture as a JPEG, if it has one."""

    reel: Reel
    latest: bytes | None


def as_recorded(config: Config, reel: Reel) -> Config:
    """The configuration with what the reel's frames, their size and codec depend on as it was when the reel was
    made."""
    return replace(
        config,
        size=(reel.width, reel.height),
        fps=reel.fps,
        keyframe_interval=reel.keyframe_interval,
        speed=reel.speed,
        order=reel.order,
        skip=SkipRules(),
    ).for_codec(codec_named(reel.codecs), {})


class ReelMaker:
    """For one stream's reels. `prefix` is what the photos' keys begin with in the frames bucket; `executor` reads one
    photo ahead."""

    def __init__(
        self,
        name: str,
        frames: Store,
        video: Store,
        keys: StreamKeys,
        prefix: str,
        codec: Codec,
        executor: Executor,
        clock: Clock,
    ) -> None:
        self._name, self._frames, self._video, self._keys, self._prefix = name, frames, video, keys, prefix
        self._codec, self._executor, self._clock = codec, executor, clock

    def frames_of(self, reel: Reel) -> list[SourceFrame]:
        """The photos of the reel's frames, in order; one GET for each segment. Raises StorageError, SegmentCorrupt."""
        parts = (read_segment(self._video, self._keys, reel, number) for number in range(len(reel.segments)))
        return [frame for part in parts for frame in read_sources(part)]

    def missing(self, frames: Iterable[SourceFrame]) -> list[SourceFrame]:
        """Those without a photo, of which the photo is gone, or which has other content now. One LIST for 1,000 photos
        between the first and the last key. Raises StorageError."""
        wanted = [frame for frame in frames if frame.role is not Role.STAND_IN]  # those show another one's photo
        if not wanted:
            return []
        first, last = (self._prefix + key for key in (min(one.key for one in wanted), max(one.key for one in wanted)))
        stored: dict[str, ObjectInfo] = {}
        for info in self._frames.list_after(self._prefix, first[:-1]):
            if info.key > last:
                break
            stored[info.key.removeprefix(self._prefix)] = info
        return [frame for frame in wanted if not _is_photo_of(frame, stored.get(frame.key))]

    def make(
        self,
        begun: Reel,
        config: Config,
        frames: Sequence[SourceFrame],
        left_out: Iterable[int] = (),
        elsewhere: ReadElsewhere | None = None,
    ) -> MadeReel:
        """Store the objects of the edition that was `begun`, from the photos of these `frames` but for the numbers in
        `left_out`. `elsewhere` may read and encode them ahead.

        A frame that repeats the one before it is left out as well if it would be the first: only an earlier reel has
        its picture. Raises MissingPhotos if a photo is gone or cannot be used, StorageError, EncoderFailed.
        """
        left_out = set(left_out)
        pictures = DayPictures(
            self._name, config.day_pictures, self._codec, self._video, self._keys, self._clock, lambda: True
        )
        # Nobody waits for a frame, so it may look ahead.
        writer = VideoWriter(self._name, config, self._codec, pictures=pictures)
        writer.discard_uncommitted(None, begun.after)
        reel = replace(begun, edition=begun.last_edition, segments=(), video_etag="")
        edition = _Edition(self._video, self._keys, reel, writer, pictures)
        chosen = [(number, frame) for number, frame in enumerate(frames) if number not in left_out]
        reader = PhotoReader(config, self._frames, self._prefix, self._codec)
        run: PhotoRun = Prefetch(reader.read, self._executor)
        if elsewhere is not None:
            run = elsewhere.begin(reader, [frame for _, frame in chosen if frame.role is not Role.STAND_IN])
        for (number, frame), following in with_next(chosen):
            picture: DecodedPhoto | None
            if frame.role is Role.STAND_IN:
                picture = writer.repeated_picture(None)
            else:
                picture = self._read(frame, run, following[1] if following else None)
            if picture is None:
                left_out.add(number)
                continue
            writer.append(frame, picture, None)
            if writer.frame_count and writer.frame_count % config.keyframe_interval == 0:
                edition.store(writer.cut())
        edition.store(writer.cut(drain=True))
        reel = edition.end(_moved(begun.left_out, left_out), begun.removed_count + len(left_out))
        if not reel.segments:
            self._copy_init(begun, reel)
        pictures.committed(0, reel)
        pictures.write(at_once=True)
        pictures.catch_up(TimeLeft(_NO_DEADLINE, self._clock, 0), None)
        VideoFile(self._video, self._keys, reel.path).publish(reel, {}, force=True)
        return MadeReel(reel, writer.thumbnail())

    def _read(self, frame: SourceFrame, run: PhotoRun, following: SourceFrame | None) -> DecodedPhoto:
        try:
            is_next_read = following is not None and following.role is not Role.STAND_IN
            found = run.get(frame, following.key if following is not None and is_next_read else None)
        except ObjectNotFound as error:
            raise MissingPhotos([frame.key], "it is gone") from error
        if isinstance(found.picture, FrameRejected):
            raise MissingPhotos([frame.key], str(found.picture)) from found.picture
        if not _is_photo_of(frame, found.info):
            raise MissingPhotos([frame.key], "it has other content now")
        return found.picture

    def _copy_init(self, begun: Reel, reel: Reel) -> None:
        """An edition without a frame has the init segment of the one before: no encoder gave it one."""
        body = self._video.get(self._keys.init(begun.path)).body
        self._video.put(self._keys.init(reel.path), body, content_type=VIDEO_TYPE, cache_control=IMMUTABLE)


class _Edition:
    """Stores the objects of one edition. Their names are its own, so no condition is needed."""

    def __init__(self, video: Store, keys: StreamKeys, reel: Reel, writer: VideoWriter, pictures: DayPictures) -> None:
        self._video, self._keys, self._reel, self._writer, self._pictures = video, keys, reel, writer, pictures
        self._attempt = reel.edition.partition("-")[2]
        self._segments: list[Segment] = []

    def store(self, cut: Cut) -> None:
        """Store the segments that will not grow any more, and the init segment before the first."""
        if cut.start is not None and not self._segments:
            init, settings = cut.start.init_segment, cut.start.settings
            self._reel = replace(
                self._reel,
                width=settings.width,
                height=settings.height,
                fps=settings.fps,
                keyframe_interval=settings.keyframe_interval,
                reorder_frames=init.reorder_frames,
                init_size_bytes=len(init.body),
                init_sha256=init.sha256,
                codecs=codec_name(init.body),
                speed=cut.start.speed,
            )
            Put(self._keys.init(self._reel.path), init.body, None, VIDEO_TYPE, IMMUTABLE).send(self._video)
        for data in cut.segments[:-1] if cut.has_open_segment else cut.segments:
            self._store(data)
        if self._segments:
            frame_count = self._segments[-1].first + self._segments[-1].count
            self._writer.committed(frame_count)
            self._writer.release_segments()
            self._pictures.committed(frame_count, replace(self._reel, segments=tuple(self._segments)))
            self._pictures.write()

    def _store(self, data: SegmentData) -> None:
        segment = replace(data.segment, attempt=self._attempt)
        Put(segment_key(self._keys, self._reel, segment), data.body, None, SEGMENT_TYPE, IMMUTABLE).send(self._video)
        self._segments.append(segment)

    def end(self, left_out: tuple[LeftOut, ...], removed_count: int) -> Reel:
        """The reel with all that was stored."""
        segments = tuple(self._segments)
        return replace(
            self._reel, segments=segments, last_is_open=False, left_out=left_out, removed_count=removed_count
        )


def _is_photo_of(frame: SourceFrame, info: ObjectInfo | None) -> bool:
    if info is None:
        return False
    return not frame.etag or photo_identity(frame.key, frame.etag) == photo_identity(frame.key, info.etag)


def _moved(notes: Iterable[LeftOut], left_out: set[int]) -> tuple[LeftOut, ...]:
    """The notes, each before the frame that follows it now."""
    return tuple(replace(note, frame=note.frame - sum(one < note.frame for one in left_out)) for note in notes)
