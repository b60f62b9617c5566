"""The function's role allows what the runtime asks of S3, call by call, and nothing that it never asks.

The runtime runs with the stack's variables on the stack's buckets; each call is recorded as it is made or signed.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from scripts.deploy_check.permissions import allows
from tests.infra.conftest import Infra, Stack
from tests.infra.recorder import ACTIONS, Recorder
from tests.photos import make_photos
from tests.world import InvocationContext
from timelapse_runtime.cli.main import parse
from timelapse_runtime.cli.permissions import READ_FRAMES, WRITE_VIDEO
from timelapse_runtime.cli.policy import policy
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.clock import SystemClock
from timelapse_runtime.runtime.function import Deadline, Environment
from timelapse_runtime.runtime.outbox import Outbox
from timelapse_runtime.runtime.state.contract import MULTIPART_MINIMUM_BYTES, Store
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.config import Config

CAMERA = "frames/camera/"
PLACES = (("FramesBucket", "frames"), ("VideoBucket", "video"))
SIZE = (640, 360)


class Camera:
    """Uploads photos and lets the function see them, as S3 would."""

    def __init__(self, stack: Stack, recorder: Recorder, function: Timelapse) -> None:
        self._s3, self._bucket = stack.client("s3"), stack.resources["FramesBucket"]
        self.recorder, self.function = recorder, function

    def upload(self, name: str, body: bytes) -> dict[str, Any]:
        stored = self._s3.put_object(Bucket=self._bucket, Key=CAMERA + name, Body=body)
        event = object_created_event(self._bucket, CAMERA + name)
        if "VersionId" in stored:
            event["Records"][0]["s3"]["object"]["versionId"] = stored["VersionId"]
        return self.ask(event)

    def keep_versions(self) -> None:
        """The bucket is versioned from now on, and its notifications name versions."""
        self._s3.put_bucket_versioning(Bucket=self._bucket, VersioningConfiguration={"Status": "Enabled"})

    def announce(self, name: str) -> dict[str, Any]:
        return self.ask(object_created_event(self._bucket, CAMERA + name))

    def ask(self, event: Any) -> dict[str, Any]:
        return self.function.invoke(event, InvocationContext())


def open_camera(stack: Stack, outbox: Path | None = None) -> Camera:
    """A new environment with the stack's own variables."""
    recorders = []

    def stores(config: Config, environment: Environment) -> tuple[Store, Store]:
        client = make_client(variables=environment.variables)
        recorders.append(Recorder(client))
        return S3Store(client, config.frames.bucket), S3Store(client, config.video.bucket)

    function = Timelapse(stores=stores)
    deployed = stack.function("TimelapseFunction")["Environment"]["Variables"]
    small = {"TIMELAPSE_FLUSH_EVERY": "4", "TIMELAPSE_KEYFRAME_INTERVAL": "8", "TIMELAPSE_PRESET": "ultrafast"}
    large = {
        "TIMELAPSE_CRF": "0",
        "TIMELAPSE_REORDER_WINDOW": "0",
    }  # so that a short video is above the multipart limit
    variables = {**deployed, **small, **large, **stack.server.variables()}
    function.open(Environment(variables, Outbox(outbox, SystemClock()) if outbox else None, "cold-start"))
    return Camera(stack, recorders[0], function)


def noise(count: int) -> list[bytes]:
    """JPEGs that no encoder makes small."""
    encoder = VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = *SIZE, "yuvj420p", Fraction(25)
    random = np.random.default_rng(1)
    pictures = [random.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8) for _ in range(count)]
    frames = [VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuvj420p") for picture in pictures]
    return [b"".join(bytes(packet) for packet in encoder.encode(frame)) for frame in frames]


@pytest.fixture(scope="module")
def recorded(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> list[Recorder]:
    """A whole life: open, flush, publish under and over the multipart limit, rejections, sweeps, both shutdowns."""
    camera = open_camera(stack)
    small, large = list(make_photos(9, SIZE)), noise(56)
    for number, body in enumerate(small):
        camera.upload(f"{number:06d}.jpg", body)
    assert "CreateMultipartUpload" not in camera.recorder.operations
    for number, body in enumerate(large, start=len(small)):
        if "UploadPartCopy" not in camera.recorder.operations:
            camera.recorder.refuse = "UploadPartCopy"  # the upload is aborted
        answer = camera.upload(f"{number:06d}.jpg", body)
    assert answer["streams"]["camera"]["frames_in_video"] > len(small)
    camera.upload("000100.jpg", b"no photo")
    camera.upload("000001x.jpg", small[0])  # late
    camera.announce("000200.jpg")  # gone
    camera.upload("000100.jpg", small[0])
    camera.ask({"retry_rejected": "camera"})
    camera.ask({"sweep": {"stream": "camera", "drain": True}})
    camera.upload("000201.jpg", small[1])
    camera.function.close(Deadline(SystemClock().now_epoch_ms() + 10_000))

    again = open_camera(stack, tmp_path_factory.mktemp("outbox"))
    again.upload("000202.jpg", small[2])
    again.function.flush(Deadline(SystemClock().now_epoch_ms() + 10_000))
    again.function.close(Deadline(SystemClock().now_epoch_ms() + 10_000))

    again.keep_versions()
    last = open_camera(stack)
    last.upload("000203.jpg", small[3])
    last.ask({"sweep": True})
    last.ask({"sweep": {"stream": "camera", "close": True, "all_reels": True}})
    return [camera.recorder, again.recorder, last.recorder]


def test_the_run_makes_every_kind_of_call(recorded: list[Recorder], stack: Stack) -> None:
    assert {name for recorder in recorded for name in recorder.operations} == set(ACTIONS)
    listed = stack.client("s3").list_objects_v2(Bucket=stack.resources["VideoBucket"], Prefix="video/camera/")
    keys = {one["Key"]: one["Size"] for one in listed["Contents"]}
    assert max(size for key, size in keys.items() if key.endswith("video.mp4")) > MULTIPART_MINIMUM_BYTES
    rejected = {key.rpartition("/")[2] for key in keys if "/rejected/" in key}
    assert "000200.jpg.json" in rejected


def test_the_role_allows_every_call(recorded: list[Recorder], stack: Stack) -> None:
    statements = stack.statements("TimelapseRole")
    for recorder in recorded:
        for one in recorder.permissions:
            assert allows(statements, one.action, one.resource, one.context), one


def test_the_role_allows_no_kind_of_call_that_is_never_made(recorded: list[Recorder], stack: Stack) -> None:
    made = {one for recorder in recorded for one in recorder.permissions}
    for statement in stack.statements("TimelapseRole"):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        for action in actions:
            if action.startswith("s3:"):
                only = [{**statement, "Action": action}]
                assert any(allows(only, one.action, one.resource, one.context) for one in made), (statement, action)
    others = {"logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}  # Lambda's own calls: logs, failed events
    everything = {action for one in stack.statements("TimelapseRole") for action in _list(one["Action"])}
    assert everything - others == {one.action for one in made}


@pytest.mark.parametrize(
    ("bucket", "action", "key"),
    [
        ("FramesBucket", "s3:GetObject", "elsewhere/1.jpg"),
        ("FramesBucket", "s3:PutObject", "frames/camera/1.jpg"),
        ("FramesBucket", "s3:DeleteObject", "frames/camera/1.jpg"),
        ("VideoBucket", "s3:GetObject", "elsewhere/1.jpg"),
        ("VideoBucket", "s3:PutObject", "elsewhere/1.jpg"),
        ("VideoBucket", "s3:DeleteObject", "videos/1.jpg"),
        ("VideoBucket", "s3:PutObjectAcl", "video/camera/live.m3u8"),
        ("VideoBucket", "s3:GetObjectVersion", "video/camera/live.m3u8"),
    ],
)
def test_the_role_allows_nothing_else_of_objects(bucket: str, action: str, key: str, stack: Stack) -> None:
    resource = f"arn:aws:s3:::{stack.resources[bucket]}/{key}"
    assert not allows(stack.statements("TimelapseRole"), action, resource)


@pytest.mark.parametrize("bucket", ["FramesBucket", "VideoBucket"])
def test_the_role_lists_its_prefixes_only_and_no_other_bucket(bucket: str, stack: Stack) -> None:
    statements, resource = stack.statements("TimelapseRole"), f"arn:aws:s3:::{stack.resources[bucket]}"
    prefix = "frames/" if bucket == "FramesBucket" else "video/"
    assert allows(statements, "s3:ListBucket", resource, {"s3:prefix": prefix + "camera/"})
    assert not allows(statements, "s3:ListBucket", resource, {"s3:prefix": "elsewhere/"})
    assert not allows(statements, "s3:ListBucket", resource + "-of-others", {"s3:prefix": prefix})
    assert not allows(statements, "s3:DeleteBucket", resource)


def test_the_policy_of_an_operator_allows_every_call(recorded: list[Recorder], stack: Stack) -> None:
    places = [f"s3://{stack.resources[name]}/{prefix}/" for name, prefix in PLACES]
    statements = policy(parse(["policy", "operator", *places]))["Statement"]
    for recorder in recorded:
        for one in recorder.permissions:
            assert allows(statements, one.action, one.resource, one.context), one


def test_deploy_check_knows_what_the_function_needs(recorded: list[Recorder], stack: Stack) -> None:
    made = {one for recorder in recorded for one in recorder.permissions if one.action != "s3:ListBucket"}
    of = {
        name: {one.action for one in made if one.resource.startswith(f"arn:aws:s3:::{stack.resources[name]}/")}
        for name in ("FramesBucket", "VideoBucket")
    }
    assert of == {"FramesBucket": set(READ_FRAMES), "VideoBucket": set(WRITE_VIDEO)}


def test_the_role_of_a_backfill_allows_what_its_steps_ask_and_what_the_other_roles_do(
    stack: Stack, infra: Infra
) -> None:
    """Plan, encode and join of photos that are there: its plan's objects are written, read and removed as well."""
    s3, bucket = stack.client("s3"), stack.resources["FramesBucket"]
    for number, body in enumerate(make_photos(9, (128, 72))):
        s3.put_object(Bucket=bucket, Key=f"frames/old/{number:06d}.jpg", Body=body)
    camera = open_camera(stack)
    planned = camera.ask({"backfill": {"plan": "old"}})
    plan = {"stream": "old", "plan": planned["plan"]}
    for name in planned["ranges"]:
        camera.ask({"backfill": {"encode": {**plan, "range": name}}})
    assert camera.ask({"backfill": {"join": plan}})["frames_in_video"] == 9
    places = {name: stack.resources[name] for name, _ in PLACES}
    (attached,) = infra.resources("backfill", **places)["TimelapseRole"]["Properties"]["Policies"]
    statements = attached["PolicyDocument"]["Statement"]
    assert {"DeleteObjects", "PutObject", "ListObjectsV2", "GetObject"} <= camera.recorder.operations
    for one in camera.recorder.permissions:
        assert allows(statements, one.action, one.resource, one.context), one
    usual = {one["Sid"]: one for one in stack.statements("TimelapseRole") if one["Sid"] != "ReportFailures"}
    assert [one["Sid"] for one in statements] == list(usual)
    for one in statements:
        if one["Sid"] != "Log":
            assert (one["Action"], one.get("Condition")) == (
                usual[one["Sid"]]["Action"],
                usual[one["Sid"]].get("Condition"),
            )


def test_both_templates_give_the_function_the_same_of_s3(stack: Stack, cameras: Stack) -> None:
    few, many = (
        {one["Sid"]: str(one).replace(each.name, "NAME") for one in each.statements("TimelapseRole")}
        for each in (stack, cameras)
    )
    assert {sid: text for sid, text in few.items() if "s3:" in text} == {
        sid: text for sid, text in many.items() if "s3:" in text
    }


def _list(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
