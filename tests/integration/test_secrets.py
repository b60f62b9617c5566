"""What must stay secret: in no line of the log, no answer and no object, whatever the log level and whatever fails."""

from __future__ import annotations

import json
import re
import stat
import sys
from pathlib import Path
from typing import Any

from tests.photos import make_photos
from timelapse_runtime.emulator.deployment import INSTALLED
from timelapse_runtime.emulator.environment import LocalLambda
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.emulator.s3_server import EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

SECRETS = {
    "AWS_ACCESS_KEY_ID": "AKIASECRETSECRET1234",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnSECRETbPxRfiCYSECRETKEY",
    "AWS_SESSION_TOKEN": "FwoGZXIvYXdzESECRETSESSIONTOKEN",
}


def test_no_secret_gets_out(tmp_path: Path) -> None:
    lines: list[str] = []
    answers: list[Any] = []
    jobs: list[tuple[int, int, dict[str, Any]]] = []
    bucket = "secrets"
    with EmbeddedS3() as server:
        server.create_buckets(bucket)
        variables = {
            **server.variables(),
            **SECRETS,
            "TIMELAPSE_FRAMES": f"s3://{bucket}/frames/",
            "TIMELAPSE_VIDEO": f"s3://{bucket}/video/",
            "TIMELAPSE_FLUSH_EVERY": "4",
            "STATEFUL_RUNTIME_PYTHON": sys.executable,
            "AWS_LAMBDA_LOG_FORMAT": "JSON",
            "AWS_LAMBDA_LOG_LEVEL": "TRACE",
        }
        store = S3Store(make_client(variables=server.variables()), bucket)

        def on_log(_source: str, line: str) -> None:
            lines.append(line)
            if "outbox job written" in line:
                for path in tmp_path.rglob("*.job"):
                    head = json.loads(path.read_bytes().partition(b"\n")[0])
                    jobs.append((path.stat().st_mode, path.parent.stat().st_mode, head))

        with LocalLambda(
            deployment=INSTALLED,
            variables=variables,
            temp_folder=tmp_path,
            timeout_seconds=60,
            on_log=on_log,
        ) as environment:
            for number, body in enumerate([*make_photos(8, (160, 96)), b"no photo"]):
                key = f"frames/camera/{number:06d}.jpg"
                etag = store.put(key, body)
                answers.append(environment.invoke(object_created_event(bucket, key, size_bytes=len(body), etag=etag)))
            store.put("video/camera/checkpoint.json", b"not a checkpoint")  # the next commit fails
            for event in ({"sweep": True}, {"unknown": "event"}, {"sweep": {"stream": "camera", "drain": True}}):
                answers.append(environment.invoke(event))
            store.delete(["video/camera/checkpoint.json"])
            for number, body in enumerate(make_photos(3, (160, 96)), start=20):
                key = f"frames/other/{number:06d}.jpg"
                etag = store.put(key, body)
                answers.append(environment.invoke(object_created_event(bucket, key, size_bytes=len(body), etag=etag)))
            environment.shutdown()
        objects = [(info.key, store.get(info.key).body) for info in store.list_after("")]

    assert any(answer.error_type for answer in answers)
    assert any("outbox job written" in line for line in lines)
    text = "\n".join([*lines, *map(repr, answers)]).encode()
    for name, secret in SECRETS.items():
        if name != "AWS_ACCESS_KEY_ID":
            assert secret.encode() not in text, name
        assert [key for key, body in objects if secret.encode() in body] == []
    assert not re.search(rb"X-Amz-Signature=[0-9a-f]{8}|Signature=[0-9a-f]{8}", text)

    assert jobs
    for file_mode, folder_mode, head in jobs:
        assert (stat.S_IMODE(file_mode), stat.S_IMODE(folder_mode)) == (0o600, 0o700)
        assert head["expires_epoch_ms"] - head["created_epoch_ms"] <= 5 * 60_000
        assert all("X-Amz-Expires=120" in put["url"] for put in head["puts"])
