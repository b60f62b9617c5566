"""The finished film, from the bucket to a folder, and counted there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import av

from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import Store

_OURS = ("segments", "reels", "rejected")


@dataclass(frozen=True, slots=True)
class Film:
    """What lies in the folder. `frame_count` was counted in the video files, not taken from any record."""

    video: Path
    playlist: Path
    frame_count: int
    rejected_count: int
    video_bytes: int
    reel_count: int


def download_film(store: Store, folder: str, out: Path) -> Film:
    """Copy the stream below `folder` to `out`: the newest reel at its top, earlier ones in `reels/`.

    Replaces a film that was put there before, and touches nothing else in `out`.
    """
    keys = StreamKeys(folder)
    body = store.get(keys.checkpoint).body
    checkpoint = Checkpoint.from_json(body)
    _clear(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / "checkpoint.json").write_bytes(body)
    newest = checkpoint.reel.name if checkpoint.reel else ""
    rejected_count, reels, videos = 0, set(), []
    for info in store.list_after(folder):
        relative = info.key[len(folder) :]
        target = out / relative
        if relative.startswith(f"reels/{newest}/"):
            target = out / relative[len(f"reels/{newest}/") :]
        elif relative.startswith("rejected/"):
            rejected_count += 1
            target = out / "rejected" / Path(relative).name
        elif not relative.startswith("reels/") and relative != "latest.jpg":
            continue  # live.m3u8 points to addresses in the bucket
        if relative.startswith("reels/"):
            reels.add(relative.split("/")[1])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.get(info.key).body)
        if target.name == "video.mp4":
            videos.append(target)
    return Film(
        video=(out / "video.mp4").absolute(),
        playlist=(out / "index.m3u8").absolute(),
        frame_count=sum(_count_frames(video) for video in videos),
        rejected_count=rejected_count,
        video_bytes=sum(video.stat().st_size for video in videos),
        reel_count=len(reels),
    )


def _count_frames(video: Path) -> int:
    with av.open(str(video), "r") as container:
        return sum(1 for packet in container.demux(video=0) if packet.size)


def _clear(out: Path) -> None:
    if not (out / "checkpoint.json").is_file():
        return
    for name in _OURS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("checkpoint.json", "latest.jpg", "video.mp4", "index.m3u8", "init.mp4", "reel.json"):
        (out / name).unlink(missing_ok=True)
