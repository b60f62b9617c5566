"""`timelapse policy`: the documents' grammar, and what they allow, by an evaluator of IAM's rules.

tests/integration/test_policies_enforced.py has a server refuse what they do not allow, and tests/infra/test_policy.py
holds the operator's against a recorded run of the function.
"""

from __future__ import annotations

import json
import re
from typing import Any

import botocore.session
import pytest

from scripts.deploy_check.permissions import allows
from timelapse_runtime.cli import EXIT_ERROR, EXIT_OK
from timelapse_runtime.cli.main import main
from timelapse_runtime.cli.permissions import ACTIONS

KEY = "arn:aws:kms:eu-central-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
QUEUE = "arn:aws:sqs:eu-central-1:123456789012:photos"
CAMERA = ("camera", "s3://in-bucket/frames/", "--stream", "garden")
OPERATOR = ("operator", "s3://in-bucket/frames/", "s3://out-bucket/video/")
VIEWER = ("viewer", "s3://out-bucket/video/")
ROLES = (CAMERA, OPERATOR, VIEWER)
FRAMES, VIDEO = "arn:aws:s3:::in-bucket", "arn:aws:s3:::out-bucket"

NOT_OPERATIONS = {"s3:ListBucket", "s3:GetObjectVersion"}
"""Permissions that no operation is named after. Source: Service Authorization Reference, read November 2026."""


@pytest.fixture
def statements_of(capsys: pytest.CaptureFixture[str]) -> Any:
    def statements(*arguments: str) -> list[dict[str, Any]]:
        assert main(["policy", *arguments]) == EXIT_OK
        printed = capsys.readouterr()
        assert printed.err == ""
        assert printed.out.isascii()
        document = json.loads(printed.out)
        assert set(document) == {"Version", "Statement"}
        assert document["Version"] == "2012-10-17"
        found: list[dict[str, Any]] = document["Statement"]
        return found

    return statements


def is_action(action: str) -> bool:
    """Whether an operation of botocore's model of the service is named so, or IAM alone has it."""
    service, name = action.split(":")
    model = botocore.session.get_session().get_service_model(service)
    return action in NOT_OPERATIONS or name in model.operation_names


@pytest.mark.parametrize("role", [*ROLES, (*VIEWER, "--stream", "garden"), ("viewer", "s3://out-bucket")])
def test_each_statement_follows_the_grammar(role: tuple[str, ...], statements_of: Any) -> None:
    queue = ("--queue", QUEUE) if role[0] == "operator" else ()
    statements = statements_of(*role, "--kms-key", KEY, *queue)
    for one in statements:
        assert set(one) - {"Condition"} == {"Sid", "Effect", "Action", "Resource"}
        assert one["Effect"] == "Allow"
        assert re.fullmatch(r"[A-Za-z0-9]+", one["Sid"])
        assert all(is_action(action) for action in one["Action"])
        assert re.fullmatch(r"arn:aws:(s3:::[a-z-]+(/[^*?]*\*)?|kms:.*:key/[\w-]+|sqs:.*:photos)", one["Resource"])
        assert "Condition" in one or set(one["Action"]).isdisjoint({"s3:ListBucket", "kms:Decrypt"})
    assert len({one["Sid"] for one in statements}) == len(statements)


def test_json_is_the_same_document_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", *OPERATOR]) == EXIT_OK
    shown = capsys.readouterr().out
    assert main(["policy", *OPERATOR, "--json"]) == EXIT_OK
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == json.loads(shown)


def test_a_camera_puts_its_own_photos_and_does_nothing_else(statements_of: Any) -> None:
    statements = statements_of(*CAMERA, "--kms-key", KEY)
    own = f"{FRAMES}/frames/garden/2026/1.jpg"
    assert allows(statements, "s3:PutObject", own)
    for resource in (f"{FRAMES}/frames/garden2/1.jpg", f"{FRAMES}/frames/garden", f"{VIDEO}/frames/garden/1.jpg"):
        assert not allows(statements, "s3:PutObject", resource)
    for action in ("s3:GetObject", "s3:DeleteObject", "s3:PutObjectAcl"):
        assert not allows(statements, action, own)
    assert not allows(statements, "s3:ListBucket", FRAMES, {"s3:prefix": "frames/garden/"})


@pytest.mark.parametrize("name", ["g*n", "g?n", "${aws:username}", "a$b", "Gärten", "花园"])
def test_a_name_is_never_a_pattern(name: str, statements_of: Any) -> None:
    statements = statements_of("camera", "s3://in-bucket/frames/", "--stream", name)
    assert allows(statements, "s3:PutObject", f"{FRAMES}/frames/{name}/1.jpg")
    for other in ("garden", "gun", "somebody", "ab"):
        assert not allows(statements, "s3:PutObject", f"{FRAMES}/frames/{other}/1.jpg")


def test_an_operator_writes_videos_and_never_photos(statements_of: Any) -> None:
    statements = statements_of(*OPERATOR)
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert allows(statements, action, f"{VIDEO}/video/garden/live.m3u8")
        assert not allows(statements, action, f"{VIDEO}/elsewhere/live.m3u8")
        assert not allows(statements, action, f"{FRAMES}/frames/garden/1.jpg")
    for bucket, prefix in ((FRAMES, "frames/"), (VIDEO, "video/")):
        assert allows(statements, "s3:ListBucket", bucket, {"s3:prefix": f"{prefix}garden/"})
        assert not allows(statements, "s3:ListBucket", bucket, {"s3:prefix": "elsewhere/"})
        assert allows(statements, "s3:ListBucket", bucket)  # or a missing object would be 403 and not 404


def test_an_operator_may_make_every_call_of_which_a_refusal_is_explained(statements_of: Any) -> None:
    allowed = {action for one in statements_of(*OPERATOR) for action in one["Action"]}
    assert {action for actions in ACTIONS.values() for action in actions} <= allowed


@pytest.mark.parametrize(("stream", "sees_others"), [((), True), (("--stream", "garden"), False)])
def test_a_viewer_reads_and_lists_videos(stream: tuple[str, ...], sees_others: bool, statements_of: Any) -> None:
    statements = statements_of(*VIEWER, *stream)
    assert allows(statements, "s3:GetObject", f"{VIDEO}/video/garden/live.m3u8")
    assert allows(statements, "s3:ListBucket", VIDEO, {"s3:prefix": "video/garden/reels/"})
    assert allows(statements, "s3:GetObject", f"{VIDEO}/video/yard/live.m3u8") is sees_others
    assert allows(statements, "s3:ListBucket", VIDEO, {"s3:prefix": "video/"}) is sees_others
    assert not allows(statements, "s3:PutObject", f"{VIDEO}/video/garden/live.m3u8")
    assert not allows(statements, "s3:GetObject", f"{VIDEO}/elsewhere/1")


@pytest.mark.parametrize(
    ("role", "actions"),
    [
        (CAMERA, {"kms:Decrypt", "kms:GenerateDataKey"}),
        (OPERATOR, {"kms:Decrypt", "kms:GenerateDataKey"}),
        (VIEWER, {"kms:Decrypt"}),
    ],
)
def test_the_key_is_used_through_s3_alone(role: tuple[str, ...], actions: set[str], statements_of: Any) -> None:
    statement = statements_of(*role, "--kms-key", KEY)[-1]
    assert set(statement["Action"]) == actions
    through = {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    assert allows([statement], "kms:Decrypt", KEY, through)
    assert not allows([statement], "kms:Decrypt", KEY, {"kms:ViaService": "sqs.eu-central-1.amazonaws.com"})
    assert not allows([statement], "kms:Decrypt", KEY)


def test_each_partition_has_its_own_names(statements_of: Any) -> None:
    known = botocore.session.get_session().get_data("partitions")["partitions"]
    suffixes = {one["id"]: one["outputs"]["dnsSuffix"] for one in known}
    for partition in ("aws", "aws-cn", "aws-us-gov"):
        key = KEY.replace("arn:aws:", f"arn:{partition}:")
        photos, use_key = statements_of(*CAMERA, "--kms-key", key, "--partition", partition)
        assert photos["Resource"] == f"arn:{partition}:s3:::in-bucket/frames/garden/*"
        host = use_key["Condition"]["StringEquals"]["kms:ViaService"]
        assert host == f"s3.eu-central-1.{suffixes[partition]}"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("camera", "s3://in-bucket/frames/"), "--stream is missing"),
        (("operator", "s3://in-bucket/frames/"), "VIDEO is missing"),
        ((*CAMERA, "--queue", QUEUE), "--queue is not for this role"),
        ((*OPERATOR, "--stream", "garden"), "--stream is not for this role"),
        ((*VIEWER, "s3://out-bucket/video/"), "VIDEO is not for this role"),
        ((*VIEWER, "--kms-key", KEY, "--partition", "aws-cn"), "--kms-key is not in the partition aws-cn"),
        (("operator", "s3://bucket/photos/", "s3://bucket/"), "could delete the photos in s3://bucket/photos/"),
        (("operator", "s3://bucket/same/", "s3://bucket/same/"), "could delete the photos"),
    ],
)
def test_what_does_not_fit_the_role_is_refused(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", *arguments]) == EXIT_ERROR
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--kms-key", KEY.replace(":key/", ":alias/")), "a key's ARN"),
        (("--kms-key", "*"), "a key's ARN"),
        (("--queue", "https://sqs.eu-central-1.amazonaws.com/123456789012/photos"), "a queue's ARN"),
        (("--stream", "a/b"), "without a slash"),
    ],
)
def test_a_wrong_value_says_what_is_allowed(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["policy", *OPERATOR, *arguments])
    assert stopped.value.code == EXIT_ERROR
    assert message in capsys.readouterr().err
