"""What a person is told if S3 refuses: the permission that is missing, or what else to do."""

from __future__ import annotations

import pytest

from timelapse_runtime.cli.refusals import describe_storage_error
from timelapse_runtime.runtime.state.errors import AccessDenied, StorageUnavailable


def refusal(operation: str, code: str = "AccessDenied", key: str = "video/camera/checkpoint.json") -> str:
    return describe_storage_error(AccessDenied(operation, "photos", key, f"{code} (HTTP 403): no", code=code))


@pytest.mark.parametrize(
    ("operation", "permission"),
    [
        ("GetObject", "s3:GetObject on arn:aws:s3:::photos/video/camera/checkpoint.json"),
        ("HeadObject", "s3:GetObject on arn:aws:s3:::photos/video/camera/checkpoint.json"),
        ("PutObject", "s3:PutObject on arn:aws:s3:::photos/video/camera/checkpoint.json"),
        ("CreateMultipartUpload", "s3:PutObject on arn:aws:s3:::photos/video/camera/checkpoint.json"),
        ("DeleteObjects", "s3:DeleteObject on arn:aws:s3:::photos/video/camera/checkpoint.json"),
    ],
)
def test_the_missing_permission_and_its_resource_are_named(operation: str, permission: str) -> None:
    assert f"the credentials need {permission}" in refusal(operation)


def test_a_listing_needs_a_permission_on_the_bucket() -> None:
    assert refusal("ListObjectsV2", key="video/camera/").endswith("s3:ListBucket on arn:aws:s3:::photos")


def test_a_refused_read_may_be_an_object_that_is_not_there() -> None:
    assert "without s3:ListBucket on arn:aws:s3:::photos, S3 answers the same" in refusal("GetObject")
    assert "s3:ListBucket" not in refusal("PutObject")


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("NoSuchBucket", "there is no bucket photos"),
        ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
        ("ExpiredToken", "have expired"),
        ("NoCredentialsError", "there are no credentials"),
    ],
)
def test_other_causes_are_no_missing_permission(code: str, advice: str) -> None:
    said = refusal("GetObject", code)
    assert advice in said
    assert "s3:GetObject" not in said


def test_a_server_that_does_not_answer_is_a_question_of_the_address() -> None:
    error = StorageUnavailable("GetObject", "photos", "key", "no connection", code="EndpointConnectionError")
    assert describe_storage_error(error).endswith("no connection; check the network, --endpoint-url and --region")
    other = StorageUnavailable("GetObject", "photos", "key", "SlowDown (HTTP 503)", code="SlowDown")
    assert describe_storage_error(other) == str(other)
