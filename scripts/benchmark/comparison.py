"""All candidates on the same photos, settings, machine and S3 server, taking turns."""

from __future__ import annotations

import math
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from scripts.benchmark.batch import Settings, encode_folder, ffmpeg_program
from scripts.benchmark.candidates import (
    BARE,
    BATCH,
    DISK,
    MANAGED,
    MANAGED_FUNCTION,
    THIS,
    WARM,
    Bare,
    Batch,
    Candidate,
    Deployment,
    Turn,
    disk_stage,
    timelapse_stage,
    video_key,
)
from scripts.benchmark.counting_s3 import BenchS3, S3Latency
from scripts.benchmark.measured import run
from scripts.benchmark.photo_set import PERIOD, PhotoSet
from scripts.benchmark.ratios import Ratio, paired
from scripts.benchmark.stage import BUCKET, THIS_RUNTIME, Stage
from scripts.benchmark.time_slices import alone, interleave

FLUSH_EVERY = 60
_FILLING = 20
"""A video's first frames, which only fill the encoder and cost next to nothing."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured. Frames per turn are a multiple of a flush, so that each turn holds its share of them.

    `lengths` are the video's lengths at which per-call persistence is measured, and, at the first and the last of them,
    the warm `/tmp`; the last is also where ours ends.
    """

    rounds: int
    frames: int
    disk_calls: int
    warm_every: int
    lengths: tuple[int, ...]

    @property
    def last(self) -> int:
        """The length at which the latencies are compared."""
        return self.lengths[-1]


def frame_by_frame(pairs: Iterable[tuple[Turn, Turn]]) -> Iterator[float]:
    """The latency of each frame of the first turn divided by that of the same frame of the second, a young video's.

    Frame by frame, as x264 works on some and only queues the others; in both videos they are the same ones, because
    the photos repeat with the keyframes and the flushes (`photo_set`).
    """
    for last, first in pairs:
        for at, (one, other) in enumerate(zip(last.latencies_ms, first.latencies_ms, strict=True), start=first.first):
            if at >= _FILLING:
                yield one / other


def request_count(counts: Counter[str]) -> int:
    """Requests of all kinds, from the server's counts."""
    return sum(count for kind, count in counts.items() if not kind.startswith("bytes_"))


class Comparison:
    """The candidates, and the turns that they have had."""

    def __init__(self, photos: PhotoSet, settings: Settings, extent: Extent, work: Path, stack: ExitStack) -> None:
        self._photos, self._settings, self._extent, self._work = photos, settings, extent, work
        self._stack = stack
        self.turns: dict[str, list[Turn]] = {name: [] for name in (THIS, DISK, WARM, MANAGED, BATCH, BARE)}
        """The turns that count for CPU and latency, without those that warm up."""
        self.final: list[tuple[Turn, Turn]] = []
        """Turns at the video's last length: ours, and per-call persistence's."""
        self.growth: list[tuple[Turn, Turn]] = []
        """Turns interleaved: the last 100 frames of our video, and the first 100 of another with the same photos."""
        self.all_of_ours: list[float] = []
        """Our latency at each frame of the video, from the first."""
        self.our_requests: Counter[str] = Counter()
        self.videos: dict[str, tuple[Path, int, int]] = {}
        """The videos that were made: the file, its frames, and the number of its first photo."""
        self.candidates: dict[str, Candidate] = {}
        self._say: Callable[[str], None] = lambda text: print(f"bench: {text}", file=sys.stderr)

    def run(self, latency: S3Latency) -> None:
        """Run all turns."""
        server = self.server = self._stack.enter_context(BenchS3(latency))
        server.create_buckets(BUCKET)
        ours = self._deploy(timelapse_stage(server, self._settings, THIS_RUNTIME, stream="this"))
        managed = self._deploy(timelapse_stage(server, self._settings, MANAGED_FUNCTION, stream="managed"))
        work = self._work / f"comparison-{latency.first_byte_ms:g}"
        work.mkdir()
        batch, bare = Batch(self._photos, self._settings, work), Bare(self._photos, self._settings, work)
        disk = self._deploy(disk_stage(server, self._settings, "per_call", upload_every=1))
        warm = self._deploy(disk_stage(server, self._settings, "warm", upload_every=self._extent.warm_every))
        self.candidates = {THIS: ours, DISK: disk, WARM: warm, MANAGED: managed, BATCH: batch, BARE: bare}
        videos = self._intra_videos(work)
        for one in (ours, managed):  # the encoders fill up: until then a frame costs too little
            self._ours(alone(one.turn(2 * FLUSH_EVERY)), one is ours)
        for number in range(self._extent.rounds):
            self._say(f"round {number + 1} of {self._extent.rounds}")
            names = (THIS, MANAGED, BATCH, BARE)
            turns = interleave([self.candidates[name].turn(self._extent.frames) for name in names])
            for name, turn in zip(names, turns, strict=True):
                self.turns[name].append(turn)
                self._ours(turn, name == THIS)
            for length in self._extent.lengths[:-1]:
                self._disk_turn(disk, videos[length], length)
        until = self._extent.last - 100 - ours.next_number
        if until > 0:
            self._say(f"this runtime, up to frame {self._extent.last}")
            self._ours(alone(ours.turn(until)), is_ours=True)
        young = self._deploy(timelapse_stage(server, self._settings, THIS_RUNTIME, stream="young"))
        for _ in range(self._extent.rounds):
            frames = 100 // self._extent.rounds
            mine, first = interleave([ours.turn(frames), young.turn(frames)])
            self._ours(mine, is_ours=True)
            self.growth.append((mine, first))
            self.final.append((mine, self._disk_turn(disk, videos[self._extent.last], self._extent.last)))
        for length in (self._extent.lengths[0], self._extent.last):
            self._say(f"warm /tmp, at frame {length}")
            warm.stage.environment.shutdown()
            self._place(warm, videos[length], length)
            alone(warm.turn(1))  # downloads the video
            self.turns[WARM].append(alone(warm.turn(self._extent.warm_every)))
        self._finish(work)

    def ratios(self) -> list[Ratio]:
        """The ratios of this comparison."""
        ours, batch, bare = ([turn.cpu_ms_per_frame for turn in self.turns[name]] for name in (THIS, BATCH, BARE))
        medians = [[statistics.median(turn.latencies_ms) for turn in pair] for pair in self.final]
        return [
            Ratio("latency_vs_disk_persistence", tuple(theirs / mine for mine, theirs in medians)),
            Ratio("latency_growth", tuple(frame_by_frame(self.growth))),
            paired("cpu_vs_ffmpeg_1080p", ours, batch),
            paired("cpu_vs_bare_loop", ours, bare),
            Ratio("s3_requests_per_frame", (request_count(self.our_requests) / len(self.all_of_ours),)),
            Ratio("peak_rss_mb", (self.candidates[THIS].peak_rss_bytes / 1e6,)),
        ]

    def _deploy(self, stage: Stage) -> Deployment:
        server = self.server
        return Deployment(self._stack.enter_context(stage), server, self._photos)

    def _ours(self, turn: Turn, is_ours: bool) -> None:
        if is_ours:
            self.all_of_ours += turn.latencies_ms
            self.our_requests += turn.requests

    def _place(self, candidate: Deployment, video: Path, length: int) -> None:
        candidate.stage.store.put(video_key(candidate.stage.stream), video.read_bytes(), content_type="video/mp4")
        candidate.next_number = length

    def _disk_turn(self, disk: Deployment, video: Path, length: int) -> Turn:
        self._place(disk, video, length)
        turn = alone(disk.turn(self._extent.disk_calls))
        self.turns[DISK].append(turn)
        return turn

    def _finish(self, work: Path) -> None:
        """Close the videos and download them."""
        before = self.server.counts()
        for name, candidate in self.candidates.items():
            if isinstance(candidate, Batch):
                last = self.turns[name][-1]
                self.videos[name] = (candidate.video, last.frames, last.first)
            elif isinstance(candidate, Deployment):
                is_timelapse = name in {THIS, MANAGED}
                stage, video = candidate.stage, work / f"{candidate.stage.stream}.mp4"
                body = stage.finished_video() if is_timelapse else stage.store.get(video_key(stage.stream)).body
                video.write_bytes(body)
                self.videos[name] = (video, candidate.next_number, 0)
                if name == THIS:
                    self.our_requests += self.server.counts() - before

    def _intra_videos(self, work: Path) -> dict[int, Path]:
        """The videos that per-call persistence has made by then: each photo was encoded alone, so all are keyframes.

        The photos repeat, and so one period of the video, copied, is as good as encoding it again.
        """
        self._say(f"preparing the videos that per-call persistence would have made: {self._extent.lengths} frames")
        period = min(PERIOD, self._extent.last)
        once = work / "intra.mp4"
        folder = self._photos.link(work / "intra", period)
        encode_folder(folder, once, replace(self._settings, keyframe_interval=1, threads=2))
        videos = {}
        for length in self._extent.lengths:
            names = work / f"intra-{length}.txt"
            names.write_text(f"file '{once}'\n" * math.ceil(length / period))
            videos[length] = names.with_suffix(".mp4")
            join = [ffmpeg_program(), "-v", "error", "-nostdin", "-f", "concat", "-safe", "0", "-i", str(names)]
            run([*join, "-frames:v", str(length), "-c", "copy", str(videos[length])])
        return videos
