"""`python -m tests.cloud.backfill`: infra/backfill.yaml's state machine on ministack's Step Functions, as JSON.

Old photos are put into S3, and the machine is started with the stream's name: plan, then a Distributed Map of encoders,
then join. ministack goes through the definition as the SAM transform gives it, and invokes the function as the machine
says. ffmpeg reads the numbers that the frames show, and `timelapse verify` looks at the rest.

`--package FILE` runs the zip of scripts/package. Without it, the function's zip has a bootstrap that starts this
checkout's runtime. Needs `scripts/install dev ministack infra`.

In ministack 1.5.33 the Map's children are no executions of their own, and the role's policies are not enforced. See
`account.py` for its functions.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import shlex
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.infra.conftest import PROGRAMS, ROOT, infra_program
from tests.photos import make_photos, with_capture_time
from tests.probe import ffmpeg_numbers
from tests.programs import MINISTACK
from timelapse_runtime.emulator.s3_server import REGION, EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.verify import Verifier

STREAM = "garden"
START = datetime(2024, 5, 1, 6)
_POLL_SECONDS = 0.5


def definition(function_arn: str) -> str:
    """The state machine's, as the SAM transform gives it, with the function's name in it."""
    command = [infra_program("python"), str(PROGRAMS / "transform.py"), str(ROOT / "infra" / "backfill.yaml")]
    done = subprocess.run(command, env={"AWS_DEFAULT_REGION": REGION}, capture_output=True, text=True, check=True)
    machine = json.loads(done.stdout)["Resources"]["BackfillMachine"]["Properties"]
    separator, lines = machine["DefinitionString"]["Fn::Join"]
    text: str = separator.join(lines)
    for name, value in machine["DefinitionSubstitutions"].items():
        assert value == {"Fn::GetAtt": ["BackfillFunction", "Arn"]}, value
        text = text.replace(f"${{{name}}}", function_arn)
    return text


def package(given: Path | None) -> bytes:
    """The function's zip."""
    if given is not None:
        return given.read_bytes()
    script = f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(ROOT))}\n"
    script += f"exec {shlex.quote(sys.executable)} -m timelapse_runtime\n"
    bootstrap = zipfile.ZipInfo("bootstrap")
    bootstrap.external_attr = (stat.S_IFREG | 0o755) << 16
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(bootstrap, script)
    return body.getvalue()


def upload(store: S3Store, count: int, days: int) -> None:
    """Numbered photos of so many days, one a minute, with EXIF times."""
    per_day = -(-count // days)
    for number, body in enumerate(make_photos(count, (320, 180))):
        taken = START + timedelta(days=number // per_day, minutes=number % per_day)
        store.put(f"frames/{STREAM}/IMG_{number:05d}.JPG", with_capture_time(body, taken))


def shown(store: S3Store) -> dict[str, list[int]]:
    """The numbers that ffmpeg reads from the frames, by reel."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for info in store.list_after(f"video/{STREAM}/reels/"):
            if info.key.endswith("/video.mp4"):
                file = Path(folder) / "video.mp4"
                file.write_bytes(store.get(info.key).body)
                found[info.key.split("/")[3]] = ffmpeg_numbers(file)
    return found


def execute(client: Any, machine: str) -> dict[str, Any]:
    """Run the machine, and wait for its end."""
    started = client.start_execution(stateMachineArn=machine, input=json.dumps({"stream": STREAM}))
    while (state := client.describe_execution(executionArn=started["executionArn"]))["status"] == "RUNNING":
        time.sleep(_POLL_SECONDS)
    assert state["status"] == "SUCCEEDED", state
    found: dict[str, Any] = state
    return found


def run(photos: int, days: int, zipped: bytes, scratch: Path) -> dict[str, Any]:
    """The figures. Raises AssertionError if the video is not complete and right."""
    log = scratch / "ministack.log"
    words = f"AWS_ENDPOINT_URL=http://127.0.0.1:$GATEWAY_PORT LAMBDA_ACCOUNT_CONCURRENCY=10 TMPDIR={scratch}"
    with EmbeddedS3(("sh", "-c", f"{words} exec {shlex.quote(str(MINISTACK))} >{log} 2>&1")) as server:

        def client(service: str) -> Any:
            config = Config(read_timeout=900, retries={"total_max_attempts": 1})
            keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
            make: Any = boto3.client
            return make(service, endpoint_url=server.endpoint_url, region_name=REGION, config=config, **keys)

        server.create_buckets("photos", "videos")
        s3 = make_client(variables=server.variables())
        frames, video = S3Store(s3, "photos"), S3Store(s3, "videos")
        upload(frames, photos, days)
        settings = {"FRAMES": "s3://photos/frames/", "VIDEO": "s3://videos/video/", "THREADS": "1"}
        variables = {f"TIMELAPSE_{name}": value for name, value in settings.items()}
        variables |= {"AWS_ENDPOINT_URL_S3": server.endpoint_url, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
        made = client("lambda").create_function(
            FunctionName="backfill",
            Runtime="provided.al2023",
            Handler="timelapse_runtime.timelapse.Timelapse",
            Role="arn:aws:iam::000000000000:role/any",
            Code={"ZipFile": zipped},
            Timeout=900,
            MemorySize=1769,
            Environment={"Variables": variables},
        )
        machine = client("stepfunctions").create_state_machine(
            name="backfill", definition=definition(made["FunctionArn"]), roleArn="arn:aws:iam::000000000000:role/any"
        )
        began = time.monotonic()
        execute(client("stepfunctions"), machine["stateMachineArn"])
        seconds = time.monotonic() - began
        reels = shown(video)
        report = Verifier(frames, video, f"video/{STREAM}/", f"frames/{STREAM}/").run()
        leftovers = [info.key for info in video.list_after(f"video/{STREAM}/backfill/")]
        pages = client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/lambda/backfill")
        messages = [event["message"] for page in pages for event in page["events"]]
    answers = [
        json.loads(line)["answer"] for line in messages if '"message": "backfill"' in line.replace('":"', '": "')
    ]
    environments = sum("environment spawned for" in line for line in log.read_text().splitlines())
    assert [number for name in sorted(reels) for number in reels[name]] == list(range(photos))
    assert report.is_right, report.findings
    assert leftovers == []
    return {
        "photos": photos,
        "reels": {name: len(numbers) for name, numbers in sorted(reels.items())},
        "is_verified": report.is_right,
        "ranges": sum("range" in answer for answer in answers),
        "environments": environments,
        "joins": [answer["read_elsewhere"] for answer in answers if "done" in answer],
        "errors": len([line for line in messages if re.search(r'"level": ?"ERROR"', line)]),
        "seconds": round(seconds, 1),
    }


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--package", type=Path)
    options = parser.parse_args(None if arguments is None else list(arguments))
    with tempfile.TemporaryDirectory() as scratch:
        print(json.dumps(run(options.photos, options.days, package(options.package), Path(scratch)), indent=1))


if __name__ == "__main__":
    main()
