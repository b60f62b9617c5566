"""Options and types of arguments that several commands share. The standard library only: `--help` imports no more.

    connection  --endpoint-url, --profile, --region, of every command that talks to S3
    output      --json

`main` puts what the connection's options say over the variables of the shell (`connected`), so a command finds it in
its `variables`, as if the shell had set it.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from timelapse_runtime.runtime.errors import ConfigError as ConnectionConfigError
from timelapse_runtime.timelapse.errors import ConfigError
from timelapse_runtime.timelapse.model.location import Location, parse_location
from timelapse_runtime.timelapse.model.photo_filter import is_hidden_folder
from timelapse_runtime.timelapse.variables import PREFIX

_NAMES = {"AWS_PROFILE": "profile", "AWS_REGION": "region", "AWS_ENDPOINT_URL_S3": "endpoint_url"}
"""The variables that `connected` sets, and the options that they come from."""
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


def add_connection(parser: argparse.ArgumentParser) -> None:
    """How S3 is reached. Without these options credentials, region and endpoint are found as by every AWS tool."""
    parser.add_argument("--endpoint-url", type=endpoint_url, metavar="URL", help="another S3 server than AWS's")
    parser.add_argument("--profile", metavar="NAME", help="a profile of ~/.aws/config")
    parser.add_argument("--region", type=region, metavar="NAME", help="the region of the bucket")


def add_json(parser: argparse.ArgumentParser) -> None:
    """For scripts: messages and progress stay on stderr."""
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else on stdout")


def connected(options: argparse.Namespace, variables: Mapping[str, str]) -> dict[str, str]:
    """`variables` with what the options of `add_connection` say, if the command has them.

    A profile that is named takes the place of credentials in the shell, as in the AWS CLI.
    """
    said = dict(variables)
    if profile := getattr(options, "profile", None):
        said = {name: value for name, value in said.items() if name not in _CREDENTIALS} | {"AWS_PROFILE": profile}
    if chosen := getattr(options, "region", None):
        said["AWS_REGION"] = chosen
    if url := getattr(options, "endpoint_url", None):
        said["AWS_ENDPOINT_URL_S3"] = url
    return said


def describe_config_error(error: ConfigError | ConnectionConfigError, options: argparse.Namespace) -> str:
    """What is wrong, by the name under which it was given: that of the option, if there was one."""
    setting = error.variable.removeprefix(PREFIX).lower()
    name = _NAMES.get(error.variable, f"setting_{setting}")
    if getattr(options, name, None) is None:
        return str(error)
    option = name.removeprefix("setting_").replace("_", "-")
    return f"argument --{option}: {error.value!r}; allowed: {error.allowed}"


def location(text: str) -> Location:
    """Type of an argument: `s3://BUCKET/PREFIX/`."""
    try:
        return parse_location(text)
    except ValueError:
        raise _wrong(text, f"s3://BUCKET/PREFIX/{_bucket_hint(text)}") from None


def stream_folder(text: str) -> Location:
    """Type of an argument: the folder of a stream, `s3://BUCKET/PREFIX/STREAM`."""
    place = location(text)
    name = place.prefix.rstrip("/").rpartition("/")[2]
    try:
        stream_name(name)
    except argparse.ArgumentTypeError as error:
        raise _wrong(text, "the folder of a stream: s3://BUCKET/PREFIX/STREAM") from error
    return place


def stream_name(text: str) -> str:
    """Type of an argument: a stream's name."""
    if not re.fullmatch(r"[^/\x00-\x1f]{1,200}", text) or is_hidden_folder(text):
        raise _wrong(text, "a name without a slash, not that of a hidden folder")
    return text


def bucket_name(text: str) -> str:
    """Type of an argument: a bucket's name."""
    try:
        if "/" in text:
            raise ValueError(text)
        return parse_location(f"s3://{text}").bucket
    except ValueError:
        raise _wrong(text, "a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens") from None


def positive(text: str) -> int:
    """Type of an argument: 1 to 10000."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= 10_000:
        raise _wrong(text, "1 to 10000")
    return value


def endpoint_url(text: str) -> str:
    """Type of an argument: the URL of an S3 server."""
    allowed = "http:// or https:// and a host, such as http://127.0.0.1:9000"
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, an address without its bracket
        is_url = False
    if not is_url or re.search(r"\s", text):
        raise _wrong(text, allowed)
    return text


def region(text: str) -> str:
    """Type of an argument: a region's name. It becomes a part of a host name."""
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", text):
        raise _wrong(text, "a region's name, such as eu-central-1")
    return text


def kms_key(text: str) -> str:
    """Type of an argument: the ARN of a KMS key (that of an alias is not a resource of a policy)."""
    if not re.fullmatch(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+", text):
        raise _wrong(text, "a key's ARN, such as arn:aws:kms:eu-central-1:123456789012:key/1234abcd-…")
    return text


def queue_arn(text: str) -> str:
    """Type of an argument: the ARN of a queue of SQS."""
    if not re.fullmatch(r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,80}", text):
        raise _wrong(text, "a queue's ARN, such as arn:aws:sqs:eu-central-1:123456789012:photos")
    return text


def _wrong(text: str, allowed: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r}; allowed: {allowed}")


def _bucket_hint(text: str) -> str:
    """What is wrong with a bucket's name, if the rest may be right."""
    bucket = text.removeprefix("s3://").partition("/")[0]
    if not text.startswith("s3://") or not bucket:
        return ""
    return f"; {bucket!r} is not a bucket's name: 3 to 63 lower-case letters, digits, dots and hyphens"
