"""The templates as CloudFormation sees them, and a stack of each in moto's server."""

from __future__ import annotations

import ast
import io
import json
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import boto3
import pytest

from timelapse_runtime.emulator.s3_server import REGION, EmbeddedS3

ROOT = Path(__file__).parents[2]
OF_CAMERAS = ("template", "cameras")
"""The templates that take events of cameras, and make the buckets."""
OF_TIMELAPSE = (*OF_CAMERAS, "backfill")
"""The templates of the timelapse function, which have its settings as parameters."""
TEMPLATES = {name: ROOT / "infra" / f"{name}.yaml" for name in (*OF_TIMELAPSE, "function")}
GIVEN = {"backfill": {"FramesBucket": "photos", "VideoBucket": "videos"}, "function": {"Handler": "app.Counter"}}
"""What a template asks of its user: parameters that have no default."""
PYTHON = ROOT / ".venv-infra" / "bin" / "python"
PROGRAMS = Path(__file__).parent / "programs"


def infra_program(name: str) -> str:
    """A program of the environment for these tests. Skips where it is not installed."""
    if not PYTHON.exists():
        pytest.skip("needs .venv-infra: scripts/install infra")
    return str(PYTHON.with_name(name))


@cache
def transformed(name: str) -> str:
    """A template after the SAM transform, as JSON."""
    command = [infra_program("python"), str(PROGRAMS / "transform.py"), str(TEMPLATES[name])]
    done = subprocess.run(command, env={"AWS_DEFAULT_REGION": REGION}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Infra:
    """A process with cfn-lint in which deploy-check runs and templates are resolved."""

    def __init__(self) -> None:
        command = [infra_program("python"), str(PROGRAMS / "deploy_check.py")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def check(self, *arguments: str) -> tuple[int, str, str]:
        """deploy-check's exit code, output and error output."""
        done = self._ask({"check": arguments})
        return done["code"], done["stdout"], done["stderr"]

    def resources(self, name: str, **parameters: str) -> dict[str, Any]:
        """A template's resources by logical ID, as CloudFormation would create them; Globals are merged."""
        return self._ask({"resolve": str(TEMPLATES[name]), "set": GIVEN.get(name, {}) | parameters})

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@pytest.fixture(scope="session")
def infra() -> Iterator[Infra]:
    """One process for all tests: cfn-lint takes a second or two to load."""
    process = Infra()
    yield process
    process.close()


@dataclass
class Stack:
    """A stack that moto made of a template. `expected` are the resources as the template describes them."""

    name: str
    server: EmbeddedS3
    record: Path
    settings: dict[str, str]
    template: str
    expected: dict[str, Any]
    resources: dict[str, str] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        make: Any = boto3.client
        return make(service, endpoint_url=self.server.endpoint_url, region_name=REGION, **keys)

    def create(self) -> None:
        """Create it, with the frames bucket's notifications, which moto's CloudFormation leaves out."""
        formation = self.client("cloudformation")
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in self.settings.items()]
        body = transformed(self.template)
        formation.create_stack(StackName=self.name, TemplateBody=body, Parameters=parameters)
        (state,) = formation.describe_stacks(StackName=self.name)["Stacks"]
        assert state["StackStatus"] == "CREATE_COMPLETE", state
        listed = formation.list_stack_resources(StackName=self.name)["StackResourceSummaries"]
        self.resources = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in listed}
        if "FramesBucket" in self.expected:
            self._notify()

    def _notify(self) -> None:
        wanted = self.expected["FramesBucket"]["Properties"]["NotificationConfiguration"]
        direct = [
            {
                "LambdaFunctionArn": self.function_arn(one["Function"].removesuffix(".Arn")),
                "Events": [one["Event"]],
                "Filter": {"Key": {"FilterRules": one["Filter"]["S3Key"]["Rules"]}},
            }
            for one in wanted.get("LambdaConfigurations", ())
        ]
        bridged: dict[str, Any] = {"EventBridgeConfiguration": {}} if "EventBridgeConfiguration" in wanted else {}
        configuration = {"LambdaFunctionConfigurations": direct, **bridged}
        self.client("s3").put_bucket_notification_configuration(
            Bucket=self.resources["FramesBucket"], NotificationConfiguration=configuration
        )

    def function_arn(self, logical: str) -> str:
        return str(self.function(logical)["FunctionArn"])

    def function(self, logical: str) -> dict[str, Any]:
        """A function's configuration."""
        found: dict[str, Any] = self.client("lambda").get_function_configuration(FunctionName=self.resources[logical])
        return found

    def statements(self, role: str) -> list[dict[str, Any]]:
        """What a role's own policies say."""
        iam, name = self.client("iam"), self.resources[role]
        names = iam.list_role_policies(RoleName=name)["PolicyNames"]
        documents = [iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in names]
        # moto's CloudFormation keeps a document as Python prints it, and AWS::NoValue in a list as None.
        statements = [statement for document in documents for statement in ast.literal_eval(document)["Statement"]]
        return [statement for statement in statements if statement is not None]

    def invocations(self) -> list[dict[str, Any]]:
        """What its functions were invoked with so far: function, event, tenant."""
        return [json.loads(line) for line in self.record.read_text().splitlines()]


MakeStack: TypeAlias = Callable[..., Stack]


@pytest.fixture(scope="session")
def make_stack(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeStack]:
    """`make_stack(template, name, **parameters)`, in a server of their own."""
    record = tmp_path_factory.mktemp("lambda") / "invocations"
    record.touch()
    command = (infra_program("python"), str(PROGRAMS / "recording_moto.py"), "{port}", str(record))
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", "")
    with EmbeddedS3(command) as server:

        def make(template: str, name: str, **parameters: str) -> Stack:
            prefix = {"BucketPrefix": name} if template in OF_CAMERAS else {}  # or all would want the same names
            settings = {**prefix, **GIVEN.get(template, {}), **parameters}
            stack = Stack(name, server, record, settings, template, infra.resources(template, **settings))
            s3 = stack.client("s3")
            s3.create_bucket(Bucket="code")
            s3.put_object(Bucket="code", Key="package.zip", Body=package.getvalue())
            stack.create()
            return stack

        yield make


@pytest.fixture(scope="session")
def stack(make_stack: MakeStack) -> Stack:
    """The stack for a few cameras."""
    return make_stack("template", "few")


@pytest.fixture(scope="session")
def cameras(make_stack: MakeStack) -> Stack:
    """The stack for many cameras."""
    return make_stack("cameras", "many")
