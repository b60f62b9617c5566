"""A stack in moto's server: it comes up, and a photo in its bucket becomes an event that the runtime takes."""

from __future__ import annotations

import json

import pytest

from tests.infra.conftest import MakeStack, Stack, transformed
from timelapse_runtime.timelapse.events import parse_event

KEY = "frames/garden/000001.jpg"
NOT_IN_MOTO = {
    "AWS::CloudFront::Distribution",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudWatch::Alarm",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::MetricFilter",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
}
"""What moto's CloudFormation passes over; the dashboard and alarms are left to cfn-lint."""


def test_the_stack_has_what_the_template_says(stack: Stack) -> None:
    said = json.loads(transformed("template"))["Resources"]
    absent = {said[name]["Type"] for name in set(said) - set(stack.resources) if "Condition" not in said[name]}
    assert absent <= NOT_IN_MOTO
    function = stack.function("TimelapseFunction")
    assert function["Runtime"] == "provided.al2023"
    assert function["Timeout"] == 300
    reserved = stack.client("lambda").get_function_concurrency(FunctionName=stack.resources["TimelapseFunction"])
    assert "ReservedConcurrentExecutions" not in reserved  # a new account has none to reserve


def test_a_photo_invokes_the_function_with_what_the_runtime_takes(stack: Stack) -> None:
    s3, bucket = stack.client("s3"), stack.resources["FramesBucket"]
    before = len(stack.invocations())
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"photo")
    s3.put_object(Bucket=bucket, Key="elsewhere/000001.jpg", Body=b"not in the prefix")
    (invocation,) = stack.invocations()[before:]
    assert invocation["function"] == stack.resources["TimelapseFunction"]
    (hint,) = parse_event(invocation["event"]).frames
    assert (hint.bucket, hint.key, hint.is_exact) == (bucket, KEY, True)


@pytest.fixture(scope="session")
def bridged(make_stack: MakeStack) -> Stack:
    return make_stack("template", "bridged", Notifications="eventbridge", ReserveConcurrency="yes")


def test_concurrency_is_reserved_if_asked(bridged: Stack) -> None:
    reserved = bridged.client("lambda").get_function_concurrency(FunctionName=bridged.resources["TimelapseFunction"])
    assert reserved["ReservedConcurrentExecutions"] == 1


@pytest.mark.parametrize(("name", "function"), [("bridged", "TimelapseFunction"), ("cameras", "Router")])
def test_over_eventbridge_it_is_what_the_runtime_takes_as_well(
    name: str, function: str, request: pytest.FixtureRequest
) -> None:
    stack: Stack = request.getfixturevalue(name)
    s3, bucket = stack.client("s3"), stack.resources["FramesBucket"]
    before = len(stack.invocations())
    s3.put_object(Bucket=bucket, Key=KEY, Body=b"photo")
    s3.put_object(Bucket=bucket, Key="elsewhere/000001.jpg", Body=b"not in the prefix")
    (invocation,) = stack.invocations()[before:]
    assert invocation["function"] == stack.resources[function]
    (hint,) = parse_event(invocation["event"]).frames
    assert (hint.bucket, hint.key, hint.is_exact) == (bucket, KEY, True)


def test_the_sweep_is_what_the_runtime_takes(stack: Stack) -> None:
    events, name = stack.client("events"), stack.resources["TimelapseFunctionSweep"]
    (target,) = events.list_targets_by_rule(Rule=name)["Targets"]
    assert target["Arn"] == stack.function_arn("TimelapseFunction")
    (sweep,) = parse_event(json.loads(target["Input"])).sweeps
    assert (sweep.stream, sweep.scheduled) == (None, True)
    assert events.describe_rule(Name=name)["ScheduleExpression"] == "rate(5 minutes)"


@pytest.mark.parametrize("name", ["s3.amazonaws.com", "events.amazonaws.com"])
def test_only_this_bucket_and_this_rule_may_invoke(stack: Stack, name: str) -> None:
    policy = stack.client("lambda").get_policy(FunctionName=stack.resources["TimelapseFunction"])["Policy"]
    (one,) = [each for each in json.loads(policy)["Statement"] if each["Principal"] == {"Service": name}]
    condition = json.dumps(one["Condition"])
    assert stack.resources["FramesBucket" if name.startswith("s3") else "TimelapseFunctionSweep"] in condition


def test_a_stack_of_ones_own_function_has_what_the_template_says(make_stack: MakeStack) -> None:
    stack = make_stack("function", "own")
    function = stack.function("Function")
    assert function["Handler"] == "app.Counter"
    bucket = function["Environment"]["Variables"]["STATE_BUCKET"]
    assert bucket == stack.resources["StateBucket"]
    stack.client("s3").put_object(Bucket=bucket, Key="state", Body=b"")
    allowed = {action: one["Resource"] for one in stack.statements("FunctionRole") for action in _listed(one["Action"])}
    assert allowed["s3:PutObject"] == f"arn:aws:s3:::{bucket}/*"
    assert allowed["s3:ListBucket"] == f"arn:aws:s3:::{bucket}"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value
