"""Copies a stream's finished video from the bucket to a folder, and counts its frames there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.video.read import count_frames

_FOLDERS = ("segments", "reels", "rejected")
_FILES = ("checkpoint.json", "latest.jpg", "video.mp4", "index.m3u8", "init.mp4", "reel.json")


@dataclass(frozen=True, slots=True)
class Download:
    """What is in the folder. `frame_count` is the number of packets in the video files, of all reels."""

    file: Path
    playlist: Path
    frame_count: int
    rejected_count: int
    size_bytes: int
    reel_count: int


def download_video(store: Store, folder: str, out: Path) -> Download:
    """Copy the stream below `folder` to `out`: the newest reel to its top, earlier ones to `reels/`.

    Replaces an earlier download in `out`, and leaves other files in `out` alone. Raises StorageError.
    """
    keys = StreamKeys(folder)
    body = store.get(keys.checkpoint).body
    checkpoint = Checkpoint.from_json(body)
    _remove_earlier_download(out)
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
            continue  # live.m3u8 has paths as in the bucket
        if relative.startswith("reels/"):
            reels.add(relative.split("/")[1])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(store.get(info.key).body)
        if target.name == "video.mp4":
            videos.append(target)
    return Download(
        file=(out / "video.mp4").absolute(),
        playlist=(out / "index.m3u8").absolute(),
        frame_count=sum(map(count_frames, videos)),
        rejected_count=rejected_count,
        size_bytes=sum(video.stat().st_size for video in videos),
        reel_count=len(reels),
    )


def _remove_earlier_download(out: Path) -> None:
    if not (out / "checkpoint.json").is_file():
        return
    for name in _FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in _FILES:
        (out / name).unlink(missing_ok=True)
