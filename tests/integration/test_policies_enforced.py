"""Users with the policies that `timelapse policy` prints, on a server that refuses what IAM does not allow.

moto enforces actions and resources, and cannot evaluate StringLikeIfExists: conditions are left out here, and
tests/cli/test_policy.py evaluates them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from tests.photos import make_photos
from timelapse_runtime.cli import EXIT_ERROR, EXIT_LEFT_OUT, EXIT_OK
from timelapse_runtime.cli.main import main, parse
from timelapse_runtime.cli.policy import policy
from timelapse_runtime.emulator.s3_server import REGION, EmbeddedS3

IN, OUT = "s3://in-bucket/frames/", "s3://out-bucket/video/"
POLICIES = {
    "camera": ("camera", IN, "--stream", "garden"),
    "operator": ("operator", IN, OUT),
    "viewer": ("viewer", OUT),
}
Credentials: TypeAlias = Mapping[str, str]


@pytest.fixture(scope="module")
def users() -> Iterator[Mapping[str, Credentials]]:
    """The variables of each role, once the server enforces their policies."""
    with EmbeddedS3() as server:
        server.create_buckets("in-bucket", "out-bucket")
        iam = client("iam", server.variables())
        found = {name: {**server.variables(), **add_user(iam, name)} for name in POLICIES}
        httpx.post(f"{server.endpoint_url}/moto-api/reset-auth", content="0").raise_for_status()
        yield found


def client(service: str, variables: Credentials) -> Any:
    make: Any = boto3.client
    return make(
        service,
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        region_name=REGION,
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )


def add_user(iam: Any, name: str) -> Credentials:
    document = policy(parse(["policy", *POLICIES[name]]))
    for statement in document["Statement"]:
        statement.pop("Condition", None)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName=name, PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.fixture
def run_as(users: Mapping[str, Credentials], monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`run_as(role, *arguments)`: the exit code of a command with the role's credentials."""

    def run(role: str, *arguments: str) -> int:
        for name, value in users[role].items():
            monkeypatch.setenv(name, value)
        return main(arguments)

    return run


def upload(users: Mapping[str, Credentials], name: str, body: bytes) -> None:
    client("s3", users["camera"]).put_object(Bucket="in-bucket", Key=f"frames/garden/{name}", Body=body)


def test_a_camera_puts_its_own_photos_and_does_nothing_else(users: Mapping[str, Credentials]) -> None:
    upload(users, "0.txt", b"a note")
    own, others = {"Bucket": "in-bucket", "Key": "frames/garden/0.txt"}, {"Bucket": "in-bucket", "Key": "frames/yard/0"}
    s3 = client("s3", users["camera"])
    calls: Sequence[Callable[[], Any]] = (
        lambda: s3.put_object(**others, Body=b""),
        lambda: s3.put_object(Bucket="in-bucket", Key="frames/garden2/0", Body=b""),
        lambda: s3.get_object(**own),
        lambda: s3.delete_object(**own),
        lambda: s3.list_objects_v2(Bucket="in-bucket", Prefix="frames/garden/"),
    )
    for call in calls:
        with pytest.raises(ClientError) as refused:
            call()
        assert refused.value.response["Error"]["Code"] == "AccessDenied"


def test_an_operator_runs_each_command_and_a_viewer_those_that_read(
    users: Mapping[str, Credentials], run_as: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = list(make_photos(5, (64, 48)))
    for number, body in enumerate(photos[:4]):
        upload(users, f"{number + 1}.jpg", body)
    assert run_as("operator", "backfill", IN, OUT, "--processes", "1") == EXIT_OK
    upload(users, "5.jpg", photos[4])
    assert run_as("operator", "run", IN, OUT, "--once") == EXIT_OK
    stream = f"{OUT}garden"
    assert run_as("operator", "verify", stream, "--repair") in {EXIT_OK, EXIT_LEFT_OUT}  # by the camera's note
    assert run_as("operator", "retry-rejected", stream) == EXIT_OK
    assert run_as("operator", "inspect", stream) == EXIT_OK
    assert "the credentials need" not in capsys.readouterr().out
    assert run_as("operator", "watch", OUT, "--publish") == EXIT_OK
    assert run_as("operator", "export", stream, "--out", str(tmp_path / "operator.mp4")) == EXIT_OK

    assert run_as("viewer", "export", stream, "--out", str(tmp_path / "viewer.mp4")) == EXIT_OK
    assert run_as("viewer", "inspect", stream) == EXIT_OK
    assert "s3:ListBucket on arn:aws:s3:::in-bucket" in capsys.readouterr().out  # what waits is not for viewers
    assert run_as("viewer", "watch", OUT, "--publish") == EXIT_ERROR
    assert "the credentials need s3:PutObject on arn:aws:s3:::out-bucket/video/watch/" in capsys.readouterr().err
    assert (tmp_path / "viewer.mp4").read_bytes() == (tmp_path / "operator.mp4").read_bytes()
