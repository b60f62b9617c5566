"""Copies a stream's finished video from the bucket to a folder, and counts its frames there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from timelapse_runtime.cli import CommandFailed
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.errors import ObjectNotFound
from timelapse_runtime.timelapse.model.checkpoint import Segment
from timelapse_runtime.timelapse.model.keys import StreamKeys, segment_name
from timelapse_runtime.timelapse.stored_checkpoint import read_checkpoint
from timelapse_runtime.timelapse.video.read import count_frames

_NAME_LIMIT_BYTES = 255


class NoVideo(CommandFailed):
    """No photo of the stream could be used. The message has the reasons."""

    def __init__(self, store: Store, keys: StreamKeys) -> None:
        records = [json.loads(store.get(info.key).body) for info in store.list_after(keys.rejections)]
        counts = Counter(record["reason"] for record in records)
        reasons = ": " + ", ".join(f"{count} {reason}" for reason, count in counts.most_common()) if counts else ""
        super().__init__(f"no photo could be used, so there is no video{reasons}")


@dataclass(frozen=True, slots=True)
class Download:
    """What was copied. `frame_count` is the number of packets in the video files, of all reels."""

    frame_count: int
    rejected_count: int
    rejected_by_reason: Mapping[str, int]
    size_bytes: int
    reel_count: int


def download_video(store: Store, folder: str, out: Path) -> Download:
    """Copy the stream below `folder` to the empty folder `out`: the newest reel to its top, earlier ones to `reels/`.

    `video.mp4` of an open reel has all that is committed, which the one in the bucket may be behind of. Raises
    StorageError; NoVideo if no photo could be used.
    """
    keys = StreamKeys(folder)
    try:
        stored = read_checkpoint(store, keys)
    except ObjectNotFound as error:
        raise NoVideo(store, keys) from error
    checkpoint = stored.checkpoint
    (out / "checkpoint.json").write_bytes(stored.body)
    reel = checkpoint.reel
    newest = keys.reel(reel.name) if reel else ""
    current = {f"{keys.segments(reel.path)}{_name(segment)}" for segment in reel.segments} if reel else set()
    reasons, reels, videos = Counter[str](), set(), []
    for info in store.list_after(folder):
        relative = info.key[len(folder) :]
        target = out / relative
        if newest and info.key.startswith(newest):
            if info.key.endswith(".m4s") and info.key not in current:
                continue  # a shorter version of one of them
            target = out / info.key[len(newest) :]
        elif info.key.startswith(keys.rejections):
            target = out / "rejected" / _file_name(info.key[len(keys.rejections) :])
        elif not info.key.startswith(keys.reels) and info.key != keys.latest:
            continue  # live.m3u8 has paths as in the bucket
        if info.key.startswith(keys.reels):
            reels.add(relative.split("/")[1])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body := store.get(info.key).body)
        if target.parent.name == "rejected":
            reasons[json.loads(body)["reason"]] += 1
        if target.name == "video.mp4":
            videos.append(target)
    if reel is not None and not reel.is_closed:
        video = out / "video.mp4"
        _join(video, [out / "init.mp4", *(out / "segments" / _name(segment) for segment in reel.segments)])
        videos = [*(one for one in videos if one != video), video]
    if not videos:
        raise NoVideo(store, keys)
    return Download(
        frame_count=sum(map(count_frames, videos)),
        rejected_count=reasons.total(),
        rejected_by_reason=reasons,
        size_bytes=sum(video.stat().st_size for video in videos),
        reel_count=len(reels),
    )


def _join(target: Path, parts: Sequence[Path]) -> None:
    """A fragmented MP4 is its init segment and its segments in order."""
    with target.open("wb") as file:
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, file)


def _name(segment: Segment) -> str:
    return segment_name(segment.first, segment.count, segment.attempt)


def _file_name(path: str) -> str:
    """The path in one name, so that no key leads out of the folder: `2026/000001.jpg` becomes `2026%2F000001.jpg`."""
    name = quote(path, safe=" ()+,=@[]{}'!#&")
    return name if len(name) <= _NAME_LIMIT_BYTES else f"sha256-{hashlib.sha256(path.encode()).hexdigest()}.json"
