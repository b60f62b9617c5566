"""An account in ministack: a template deployed by its CloudFormation, with the packages as they are uploaded.

ministack starts `bootstrap` of the zip for each environment of a `provided` function, serves the Runtime API to it, and
invokes it for S3's notifications, EventBridge's rules and SQS. Where ministack 1.5.33 differs from AWS:

- Its CloudFormation leaves out ReservedConcurrentExecutions. It is set through Lambda's API.
- A throttled asynchronous event counts as an attempt, and is dropped after three; Lambda repeats it for six hours. So
  MaximumRetryAttempts is far above Lambda's limit of 2. An event that fails is then repeated as often, too.
- Messages whose dispatcher was throttled stay hidden for the queue's visibility time-out. So the account's limit is
  high enough for all routers and dispatchers (100).
- Its CloudFormation refuses alarms of several metrics. No alarm is deployed.
- LoggingConfig does not reach the function. AWS_LAMBDA_LOG_FORMAT is among its variables.
- A tenant has no environments of its own: with cameras.yaml, any environment serves any camera. So it may keep several
  open.
- `python` functions have no boto3, nor has a function that is packaged offline. PYTHONPATH leads to the one of this
  process.

Nothing stands in for these, so no figure here says anything about them:

- The Extensions API answers 404, and layers of `provided` functions are not unpacked: a shutdown saves nothing.
- The batches of a FIFO queue come one after the other, also those of different groups.
- Environments are never frozen. Idle ones end after five minutes, all but one.
- IAM policies are not enforced.

Environments are in ministack's process group, so they end with it.
"""

from __future__ import annotations

import io
import json
import os
import shlex
import time
import zipfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config

from tests.infra.conftest import ROOT, transformed
from tests.programs import MINISTACK
from tests.recovery.http.proxy import FaultProxy
from timelapse_runtime.emulator.s3_server import REGION, EmbeddedS3
from timelapse_runtime.runtime.state.s3 import S3Store, make_client

_FUNCTIONS = {"function": "Function"}
"""The function that scripts/package made, by template, where it is not the timelapse function."""
_BOTO3 = str(Path(boto3.__file__).parents[1])
_LOG_GROUP = "/timelapse/function"
"""Of the timelapse function alone: the templates have one group for all of a stack's functions."""
_OPEN_STREAMS = 16
_ATTEMPTS = 100_000
_DEPLOY_SECONDS = 60
_LINES_SHOWN = 40


@dataclass(frozen=True)
class Archives:
    """What scripts/package wrote: the function's zip, and the layer with the extension."""

    function: Path
    extension: Path


@dataclass(frozen=True)
class Invocations:
    """Of the timelapse function: how many began, and what happened to each stream in those that ended well."""

    started: int
    ended: list[dict[str, dict[str, Any]]]

    @property
    def failed(self) -> int:
        return self.started - len(self.ended)

    @property
    def counts(self) -> dict[str, int]:
        """The counts of all streams and invocations, summed."""
        sums: Counter[str] = Counter()
        for streams in self.ended:
            for counts in streams.values():
                sums.update({name: count for name, count in counts.items() if isinstance(count, int)})
        del sums["frames_in_video"]  # a state
        return dict(sorted(sums.items()))


class Account:
    """Runs during the `with` block. `concurrency` is the account's limit, as of all functions together."""

    def __init__(self, archives: Archives, scratch: Path, *, concurrency: int = 10) -> None:
        self._archives, self._log = archives, scratch / "ministack.log"
        variables = {
            "AWS_ENDPOINT_URL": "http://127.0.0.1:$GATEWAY_PORT",  # where functions find the services
            "LAMBDA_ACCOUNT_CONCURRENCY": str(concurrency),
            "TMPDIR": shlex.quote(str(scratch)),
        }
        words = " ".join(f"{name}={value}" for name, value in variables.items())
        command = f"{words} exec {shlex.quote(str(MINISTACK))} >{shlex.quote(str(self._log))} 2>&1"
        self._server = EmbeddedS3(("sh", "-c", command))
        self._stack = ExitStack()
        self._resources: dict[str, str] = {}
        self._function = "TimelapseFunction"

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self._server)
            self.requests = self._stack.enter_context(FaultProxy(self._server.endpoint_url, lambda: None))
            """Between functions and S3; its faults are not used."""
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is not None:
            error.add_note("\n".join(["ministack's last lines:", *self._log.read_text().splitlines()[-_LINES_SHOWN:]]))
        self._stack.close()

    @property
    def endpoint_url(self) -> str:
        """Where S3 is, for players, past the proxy. ministack lets anyone read."""
        return self._server.endpoint_url

    def variables(self) -> Mapping[str, str]:
        """By which the `timelapse` command reaches the account."""
        return self._server.variables()

    def client(self, service: str) -> Any:
        """A client of one of the account's services."""
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        config = Config(read_timeout=330, retries={"total_max_attempts": 1})
        make: Any = boto3.client
        return make(service, endpoint_url=self.endpoint_url, region_name=REGION, config=config, **keys)

    def store(self, logical: str) -> S3Store:
        """The bucket that a template names so."""
        return S3Store(make_client(variables=self.variables()), self.resource(logical))

    def resource(self, logical: str) -> str:
        """The name of a resource in the account."""
        return self._resources[logical]

    def deploy(self, template: str, *, reserved: int | None, parameters: Mapping[str, str]) -> None:
        """Create the stack of a template, and reserve concurrency for the function."""
        formation, name = self.client("cloudformation"), "timelapse"
        self._function = _FUNCTIONS.get(template, self._function)
        body = json.loads(transformed(template))
        resources = body["Resources"]
        body["Resources"] = {name: one for name, one in resources.items() if one["Type"] != "AWS::CloudWatch::Alarm"}
        self._upload_code(body["Resources"])
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        formation.create_stack(
            StackName=name, TemplateBody=json.dumps(body), Parameters=given, Capabilities=["CAPABILITY_IAM"]
        )
        deadline = time.monotonic() + _DEPLOY_SECONDS
        while (state := formation.describe_stacks(StackName=name)["Stacks"][0])["StackStatus"] != "CREATE_COMPLETE":
            failed = "FAILED" in state["StackStatus"] or "ROLLBACK" in state["StackStatus"]
            assert not failed and time.monotonic() < deadline, state  # noqa: PT018
            time.sleep(0.1)
        listed = formation.list_stack_resources(StackName=name)["StackResourceSummaries"]
        self._resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}
        self._configure(reserved)

    def invoke(self, logical: str, event: Any) -> bool:
        """Invoke a function and wait; False: it was throttled. Raises AssertionError if it failed."""
        return self.answer(logical, event) is not None

    def answer(self, logical: str, event: Any) -> bytes | None:
        """What a function answers; None: it was throttled. Raises AssertionError if it failed."""
        functions = self.client("lambda")
        try:
            answer = functions.invoke(FunctionName=self.resource(logical), Payload=json.dumps(event))
        except functions.exceptions.TooManyRequestsException:
            return None
        body: bytes = answer["Payload"].read()
        assert "FunctionError" not in answer, body
        return body

    def environments(self) -> int:
        """How many environments of the function were started."""
        spawned = f"environment spawned for {self.resource(self._function)}"
        return sum(spawned in line for line in self._log.read_text().splitlines())

    def messages(self, logical: str) -> int:
        """How many messages a queue has, those in flight included."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=self.resource(logical), AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def request_counts(self) -> dict[str, int]:
        """The functions' requests to S3 so far, of the folder that `requests` watches, by method."""
        kinds = Counter("LIST" if " (list)" in one.name else one.method for one in self.requests.requests)
        return dict(sorted(kinds.items()))

    def invocations(self) -> Invocations:
        """What the log says of the function's invocations so far. Throttled ones are not in it."""
        pages = self.client("logs").get_paginator("filter_log_events").paginate(logGroupName=_LOG_GROUP)
        messages = [event["message"] for page in pages for event in page["events"]]
        lines = [json.loads(message) for message in messages if message.startswith("{")]
        ended = [line["streams"] for line in lines if line.get("message") == "invocation"]
        return Invocations(started=sum(message.startswith("START ") for message in messages), ended=ended)

    def _upload_code(self, resources: Mapping[str, Any]) -> None:
        """Upload the archives, and point the template's functions and layer to them."""
        s3 = self.client("s3")
        s3.create_bucket(Bucket="code")
        bodies = {
            "function": self._archives.function.read_bytes(),
            "extension": self._archives.extension.read_bytes(),
            "dispatcher": _zip_of(ROOT / "infra" / "dispatcher"),
        }
        for key, body in bodies.items():
            s3.put_object(Bucket="code", Key=key, Body=body)
        for logical, resource in resources.items():
            properties = resource["Properties"]
            if resource["Type"] == "AWS::Lambda::LayerVersion":
                properties["Content"]["S3Key"] = "extension"
            elif resource["Type"] == "AWS::Lambda::Function":
                variables = properties["Environment"]["Variables"]
                properties["Code"]["S3Key"] = "function" if logical == self._function else "dispatcher"
                if logical == self._function:
                    properties["LoggingConfig"]["LogGroup"] = _LOG_GROUP
                    variables |= {"AWS_ENDPOINT_URL_S3": self.requests.url, "AWS_LAMBDA_LOG_FORMAT": "JSON"}
                if logical == "TimelapseFunction":
                    variables["TIMELAPSE_OPEN_STREAMS"] = str(_OPEN_STREAMS)
                else:
                    variables["PYTHONPATH"] = _BOTO3

    def _configure(self, reserved: int | None) -> None:
        functions = self.client("lambda")
        for logical in {self._function, "Router"} & set(self._resources):
            functions.put_function_event_invoke_config(
                FunctionName=self.resource(logical),
                MaximumRetryAttempts=_ATTEMPTS,
                DestinationConfig={"OnFailure": {"Destination": self._failure_queue_arn()}},
            )
        if reserved is not None:
            functions.put_function_concurrency(
                FunctionName=self.resource(self._function), ReservedConcurrentExecutions=reserved
            )

    def _failure_queue_arn(self) -> str:
        asked = {"QueueUrl": self.resource("FailureQueue"), "AttributeNames": ["QueueArn"]}
        return str(self.client("sqs").get_queue_attributes(**asked)["Attributes"]["QueueArn"])


def _zip_of(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                archive.write(path, os.fspath(path.relative_to(folder)))
    return buffer.getvalue()
