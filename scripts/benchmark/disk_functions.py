"""What stateless functions do: the video on the disk, ffmpeg for the photo, `-f concat -c copy` to put it at the end.

Runs in the Lambda environment, under AWS's own runtime client, and moves files with boto3's `download_file` and
`upload_file`, as AWS's examples do. `per_call` downloads and uploads the video in each
call; `warm` keeps it in /tmp, as the nearest published functions do at best, and uploads it every
BENCH_UPLOAD_EVERY calls: what came since the last upload is lost with the environment.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

_S3 = boto3.client("s3", region_name=os.environ["AWS_REGION"])
_BUCKET, _VIDEO_KEY = os.environ["BENCH_BUCKET"], os.environ["BENCH_VIDEO_KEY"]
_UPLOAD_EVERY = int(os.environ["BENCH_UPLOAD_EVERY"])
_ENCODE: list[str] = json.loads(os.environ["BENCH_ENCODE"])
"""The command that encodes one photo, with {photo} and {video} in it."""
_FOLDER = Path(tempfile.gettempdir())
_VIDEO = _FOLDER / "video.mp4"
_calls = 0


def per_call(event: Any, _context: object) -> dict[str, Any]:
    """Download, append, upload."""
    _download()
    _append(event)
    _upload()
    return _answer()


def warm(event: Any, _context: object) -> dict[str, Any]:
    """Append; upload when it is time."""
    global _calls  # noqa: PLW0603 - a module's globals are all the state that such a function has
    if not _VIDEO.exists():
        _download()
    _append(event)
    _calls += 1
    if _calls % _UPLOAD_EVERY == 0:
        _upload()
    return _answer()


def _download() -> None:
    try:
        _S3.download_file(_BUCKET, _VIDEO_KEY, str(_VIDEO))
    except ClientError as error:
        if error.response["Error"]["Code"] != "404":
            raise
        _VIDEO.unlink(missing_ok=True)


def _upload() -> None:
    _S3.upload_file(str(_VIDEO), _BUCKET, _VIDEO_KEY, ExtraArgs={"ContentType": "video/mp4"})


def _append(event: Any) -> None:
    """One photo to the video's end, as a video of one frame."""
    key = event["Records"][0]["s3"]["object"]["key"]
    photo, frame, joined, names = (_FOLDER / name for name in ("photo.jpg", "frame.mp4", "joined.mp4", "names.txt"))
    _S3.download_file(_BUCKET, key, str(photo))
    subprocess.run([part.format(photo=photo, video=frame) for part in _ENCODE], check=True)
    if not _VIDEO.exists():
        frame.replace(_VIDEO)
        return
    names.write_text(f"file '{_VIDEO}'\nfile '{frame}'\n")
    join = [_ENCODE[0], "-v", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0", "-i", str(names)]
    subprocess.run([*join, "-c", "copy", str(joined)], check=True)
    joined.replace(_VIDEO)


def _answer() -> dict[str, Any]:
    return {"children_peak_rss_bytes": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024}
