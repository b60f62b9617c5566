"""Copies a stream's finished video from the bucket to a folder, and counts its frames there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.storage.contract import Store
from timelapse_runtime.timelapse.video.read import count_frames

_NAME_LIMIT_BYTES = 255
_FOLDERS = ("segments", "reels", "rejected")
_FILES = ("checkpoint.json", "latest.jpg", "video.mp4", "index.m3u8", "init.mp4", "reel.json")


@dataclass(frozen=True, slots=True)
class Download:
    """What is in the folder. `frame_count` is the number of packets in the video files, of all reels."""

    file: Path
    playlist: Path
    frame_count: int
    rejected_count: int
    rejected_by_reason: Mapping[str, int]
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
    reasons, reels, videos = Counter[str](), set(), []
    for info in store.list_after(folder):
        relative = info.key[len(folder) :]
        target = out / relative
        if relative.startswith(f"reels/{newest}/"):
            target = out / relative[len(f"reels/{newest}/") :]
        elif relative.startswith("rejected/"):
            target = out / "rejected" / _file_name(relative.removeprefix("rejected/"))
        elif not relative.startswith("reels/") and relative != "latest.jpg":
            continue  # live.m3u8 has paths as in the bucket
        if relative.startswith("reels/"):
            reels.add(relative.split("/")[1])
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body := store.get(info.key).body)
        if relative.startswith("rejected/"):
            reasons[json.loads(body)["reason"]] += 1
        if target.name == "video.mp4":
            videos.append(target)
    return Download(
        file=(out / "video.mp4").absolute(),
        playlist=(out / "index.m3u8").absolute(),
        frame_count=sum(map(count_frames, videos)),
        rejected_count=reasons.total(),
        rejected_by_reason=reasons,
        size_bytes=sum(video.stat().st_size for video in videos),
        reel_count=len(reels),
    )


def _file_name(path: str) -> str:
    """The path in one name, so that no key leads out of the folder: `2026/000001.jpg` becomes `2026%2F000001.jpg`."""
    name = quote(path, safe=" ()+,=@[]{}'!#&")
    return name if len(name) <= _NAME_LIMIT_BYTES else f"sha256-{hashlib.sha256(path.encode()).hexdigest()}.json"


def _remove_earlier_download(out: Path) -> None:
    if not (out / "checkpoint.json").is_file():
        return
    for name in _FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in _FILES:
        (out / name).unlink(missing_ok=True)
