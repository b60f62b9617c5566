"""What a person has to know if S3 refuses a call or does not answer.

That is: which permission is missing on which resource, or what else to do.
"""

from __future__ import annotations

from collections.abc import Mapping

from timelapse_runtime.cli.permissions import ACTIONS
from timelapse_runtime.runtime.state.errors import AccessDenied, StorageError

_OF_THE_BUCKET = frozenset({"ListObjectsV2"})
_READS = frozenset({"GetObject", "HeadObject"})

_OTHER_CAUSES: Mapping[str, str] = {
    "NoSuchBucket": "there is no bucket {bucket} at this endpoint: check its name, and --endpoint-url and --profile",
    "InvalidAccessKeyId": "the access key does not exist there: check AWS_ACCESS_KEY_ID, or name a --profile",
    "SignatureDoesNotMatch": "the secret key is not that of the access key: check AWS_SECRET_ACCESS_KEY or --profile",
    "ExpiredToken": "the credentials have expired: log in again (for example `aws sso login`)",
    "InvalidToken": "the session token is not valid there: check AWS_SESSION_TOKEN, or name a --profile",
    "NoCredentialsError": "there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or --profile",
    "PartialCredentialsError": "a part of the credentials is missing: set both the access key and the secret key",
}
"""By S3's error code, or by the SDK's exception: what to do if no permission is missing."""


_UNREACHABLE = frozenset(
    {"ConnectTimeoutError", "ConnectionClosedError", "EndpointConnectionError", "ProxyConnectionError", "SSLError"}
)
"""Exceptions of the SDK that come from a wrong address or network more often than from S3."""


def describe_storage_error(error: StorageError) -> str:
    """One sentence: what failed, where, and what to do."""
    if isinstance(error, AccessDenied):
        return describe_refusal(error)
    if error.code in _UNREACHABLE:
        return f"{error}; check the network, --endpoint-url and --region"
    return str(error)


def describe_refusal(error: AccessDenied) -> str:
    """The same of a refusal."""
    what = f"{error.operation} of s3://{error.bucket}/{error.key} was refused"
    if error.code in _OTHER_CAUSES:
        return f"{what}: {_OTHER_CAUSES[error.code].format(bucket=error.bucket)}"
    actions = ACTIONS.get(error.operation)
    if actions is None:
        return str(error)
    bucket = f"arn:aws:s3:::{error.bucket}"
    resource = bucket if error.operation in _OF_THE_BUCKET else f"{bucket}/{error.key}"
    hint = f"{what} ({error.cause}): the credentials need {' and '.join(actions)} on {resource}"
    if error.operation in _READS:  # S3 says 403 instead of 404 to those who may not list
        hint += f"; without s3:ListBucket on {bucket}, S3 answers the same if the object is not there"
    return hint
