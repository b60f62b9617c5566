"""The templates themselves: what they say of the project is true, and CloudFormation takes them."""

from __future__ import annotations

import json
import logging
import re
import subprocess
from collections.abc import Iterator
from fnmatch import fnmatchcase as fnmatch
from pathlib import Path
from typing import Any

import pytest

from infra.dispatcher import dispatch, route
from tests.infra.conftest import OF_CAMERAS, OF_TIMELAPSE, TEMPLATES, Infra, infra_program, transformed
from tests.timelapse.metric_lines import recorded
from tests.world import World
from timelapse_runtime.runtime import loader
from timelapse_runtime.runtime.log import JsonFormatter, LogScope
from timelapse_runtime.timelapse.variables import PREFIX, VARIABLES
from timelapse_runtime.watch.files import page_files

EACH = pytest.mark.parametrize("name", OF_CAMERAS)
ALL = pytest.mark.parametrize("name", sorted(TEMPLATES))


def variables(resources: dict[str, Any], function: str = "TimelapseFunction") -> dict[str, Any]:
    found: dict[str, Any] = resources[function]["Properties"]["Environment"]["Variables"]
    return found


def cfn_lint(path: Path, text: str | None = None) -> list[str]:
    """What cfn-lint says, information included: the first line of each message."""
    if text is not None:
        path.write_text(text)
    command = [infra_program("cfn-lint"), "--format", "parseable", "--include-checks", "I", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert bool(done.stdout) == bool(done.returncode), done.stderr
    return done.stdout.splitlines()


@ALL
def test_cfn_lint_says_nothing_of_a_template(name: str) -> None:
    assert cfn_lint(TEMPLATES[name]) == []


@EACH
def test_after_the_transform_it_only_knows_that_provided_al2_is_at_its_end(name: str, tmp_path: Path) -> None:
    said = cfn_lint(tmp_path / "transformed.json", transformed(name))
    assert [re.findall(r":(W1030|E\w+|I\w+):Runtime .* deprecated on '2026-07-31'", line) for line in said] == [
        ["W1030"]
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "rule"),
    [
        ("TIMELAPSE_VIDEO: !Sub s3://${VideoBucket}/", "TIMELAPSE_VIDEO: !Sub s3://${FramesBucket}/", "E3004"),
        ("ReservedConcurrentExecutions", "ReservedConcurrency", "E3002"),
    ],
)
def test_cfn_lint_knows_a_circle_and_a_wrong_word(right: str, wrong: str, rule: str, tmp_path: Path) -> None:
    text = TEMPLATES["template"].read_text()
    assert right in text
    assert rule in "".join(cfn_lint(tmp_path / "wrong.yaml", text.replace(right, wrong)))


@EACH
def test_the_transform_leaves_nothing_of_sam(name: str) -> None:
    kinds = {body["Type"] for body in json.loads(transformed(name))["Resources"].values()}
    assert {"AWS::Lambda::Function", "AWS::S3::Bucket"} <= kinds
    assert not any(kind.startswith("AWS::Serverless") for kind in kinds)


@pytest.mark.parametrize("name", OF_TIMELAPSE)
def test_every_variable_is_a_parameter_with_its_default(name: str, infra: Infra) -> None:
    resources = infra.resources(name)
    ours = {PREFIX + one.name: one.default for one in VARIABLES if one.default is not None}
    fixed = {f"{PREFIX}OPEN_STREAMS": "1"} if name == "cameras" else {}
    # A tenant is one stream, and a backfill names the stream that it is of.
    absent = {"template": set(), "cameras": {"STREAM"}, "backfill": {"STREAM", "OPEN_STREAMS"}}[name]
    expected = {key: value for key, value in {**ours, **fixed}.items() if key[len(PREFIX) :] not in absent}
    function = "BackfillFunction" if name == "backfill" else "TimelapseFunction"
    there = variables(resources, function).items()
    given = {key: value for key, value in there if key[len(PREFIX) :] not in {"FRAMES", "VIDEO"}}
    assert given == expected


def test_a_parameter_reaches_its_variable(infra: Infra) -> None:
    names = {
        one.name: "".join(word.capitalize() for word in one.name.split("_"))
        for one in VARIABLES
        if one.default is not None
    }
    given = variables(infra.resources("template", **{parameter: f"a {parameter}" for parameter in names.values()}))
    for name, parameter in names.items():
        assert given[PREFIX + name] == f"a {parameter}"


def stars(value: Any, where: str = "") -> Iterator[str]:
    """Actions with a wildcard, and resources that begin with one."""
    if isinstance(value, list):
        for item in value:
            yield from stars(item, where)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from stars(item, key)
    else:
        text = str(value).rpartition(":")[2][:1] if where.endswith("Resource") else str(value)
        if "*" in text and where in {"Action", "NotAction", "Resource", "NotResource"}:
            yield f"{where}: {value}"


@ALL
def test_no_role_has_a_wildcard_for_an_action_or_for_all_resources(name: str, infra: Infra) -> None:
    roles = [body for body in infra.resources(name).values() if body["Type"] == "AWS::IAM::Role"]
    assert roles
    assert list(stars(roles)) == []
    assert list(stars({"Action": ["s3:Get*"], "Resource": ["*", "arn:aws:s3:::*", "arn:aws:s3:::b/x/*"]})) == [
        "Action: s3:Get*",
        "Resource: *",
        "Resource: arn:aws:s3:::*",
    ]


def test_both_templates_keep_photos_and_videos_in_the_same_way(infra: Infra) -> None:
    few, many = (infra.resources(name, Watch="cloudfront") for name in OF_CAMERAS)
    for name in ("VideoBucket", "FramesBucketPolicy", "VideoBucketPolicy", "Distribution", "OriginAccess", "LogGroup"):
        assert few[name] == many[name], name
    different = {"DependsOn", "NotificationConfiguration"}
    few_bucket, many_bucket = ({**side["FramesBucket"], **side["FramesBucket"]["Properties"]} for side in (few, many))
    for key in (set(few_bucket) | set(many_bucket)) - different - {"Properties"}:
        assert few_bucket[key] == many_bucket[key], key


@pytest.mark.parametrize("name", [*OF_CAMERAS, "function"])
def test_buckets_are_private_encrypted_and_outlive_the_stack(name: str, infra: Infra) -> None:
    for bucket, body in infra.resources(name).items():
        if body["Type"] == "AWS::S3::Bucket":
            properties = body["Properties"]
            assert body["DeletionPolicy"] == "RetainExceptOnCreate", bucket  # a failed first deployment leaves nothing
            assert body["UpdateReplacePolicy"] == "Retain", bucket
            assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
            assert "BucketEncryption" in properties
            rules = properties["LifecycleConfiguration"]["Rules"]
            assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@EACH
def test_a_key_of_the_users_encrypts_the_buckets_and_the_role_may_use_that_one_alone(name: str, infra: Infra) -> None:
    def encryption(resources: dict[str, Any]) -> list[dict[str, Any]]:
        buckets = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::S3::Bucket"]
        return [rule for one in buckets for rule in one["BucketEncryption"]["ServerSideEncryptionConfiguration"]]

    def kms(resources: dict[str, Any]) -> list[dict[str, Any]]:
        (policy,) = resources["TimelapseRole"]["Properties"]["Policies"]
        return [one for one in policy["PolicyDocument"]["Statement"] if "kms:" in str(one["Action"])]

    without, with_key = infra.resources(name), infra.resources(name, KmsKeyArn=KEY)
    assert encryption(without) == [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}] * 2
    assert kms(without) == []
    rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert encryption(with_key) == [{"BucketKeyEnabled": True, "ServerSideEncryptionByDefault": rule}] * 2
    (statement,) = kms(with_key)
    assert (statement["Resource"], statement["Action"]) == (KEY, ["kms:Decrypt", "kms:GenerateDataKey"])


@EACH
def test_a_bucket_of_the_users_is_read_and_left_as_it_is(name: str, infra: Infra) -> None:
    resources = infra.resources(name, ExistingFramesBucket="my-photos", FramesPrefix="cams/")
    assert [key for key in resources if key.startswith("FramesBucket")] == []
    texts = {key: json.dumps(body) for key, body in resources.items()}
    assert "timelapse-frames-" not in str(texts)
    # Whoever puts a notification configuration replaces the one that was there: so nothing here has one.
    assert "NotificationConfiguration" not in str(texts)
    assert not any("s3.amazonaws.com" in text for text in texts.values())
    assert variables(resources)["TIMELAPSE_FRAMES"] == "s3://my-photos/cams/"
    patterns = [one for one in texts.values() if '"source": ["aws.s3"]' in one]
    assert len(patterns) == 1
    assert '"bucket": {"name": ["my-photos"]}, "object": {"key": [{"prefix": "cams/"}]}' in patterns[0]
    readers = [text for text in texts.values() if '"arn:aws:s3:::my-photos"' in text]
    assert len(readers) == (1 if name == "template" else 2)  # and the router, which lists the cameras


@EACH
def test_what_eventbridge_cannot_deliver_is_kept(name: str, infra: Infra) -> None:
    resources = infra.resources(name, **({"Notifications": "eventbridge"} if name == "template" else {}))
    queue = "FailureQueue.Arn"
    rules = [target for one in resources.values() if one["Type"] == "AWS::Events::Rule" for target in targets(one)]
    events = [one for each in resources.values() for one in each.get("Properties", {}).get("Events", {}).values()]
    rules += [one["Properties"] for one in events if one["Type"] in {"Schedule", "EventBridgeRule"}]
    assert len(rules) == 2
    assert [rule["DeadLetterConfig"] for rule in rules] == [{"Arn": queue}] * 2
    (statement,) = resources["FailureQueuePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Resource"]) == ({"Service": "events.amazonaws.com"}, queue)
    allowed = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
    made = json.loads(transformed(name))["Resources"]
    existing = {f"{key}.Arn" for key, body in made.items() if body["Type"] == "AWS::Events::Rule"}
    assert set(allowed) == existing


def targets(rule: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rule["Properties"]["Targets"]
    return found


LIMITS = {
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::CloudFront::OriginAccessControl", "OriginAccessControlConfig"): 64,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
}
"""Characters that a name may have (each service's API reference, read November 2026)."""


@EACH
def test_no_name_is_too_long_whatever_the_stack_is_called(name: str, infra: Infra) -> None:
    """A stack may have 128 characters (here its name is teststack), a BucketPrefix 20, and the longest region 14."""
    resources = infra.resources(name, Watch="cloudfront", BucketPrefix="p" * 20)
    stack, region = ("teststack", 128), ("us-east-1", 14)
    for body in resources.values():
        for key, value in body.get("Properties", {}).items():
            if key.endswith("Name") and key not in {"BucketName", "QueueName", "LogGroupName", "DashboardName"}:
                assert body["Type"] in {"AWS::CloudWatch::Alarm", "AWS::Lambda::Permission"}, (body["Type"], key)
            if limit := LIMITS.get((body["Type"], key)):
                text = str(value["Name"] if isinstance(value, dict) else value)
                for word, length in (stack, region):
                    text = text.replace(word, "x" * length)
                assert len(text) <= limit, (key, text)


@pytest.mark.parametrize(("days", "status"), [("0", "Disabled"), ("30", "Enabled")])
def test_photos_expire_only_when_asked(days: str, status: str, infra: Infra) -> None:
    bucket = infra.resources("template", FramesExpireDays=days)["FramesBucket"]["Properties"]
    (rule,) = [rule for rule in bucket["LifecycleConfiguration"]["Rules"] if "ExpirationInDays" in rule]
    assert (rule["Status"], rule["Prefix"]) == (status, "frames/")


@EACH
def test_viewers_get_videos_and_nothing_else(name: str, infra: Infra) -> None:
    policy = infra.resources(name, Watch="cloudfront")["VideoBucketPolicy"]["Properties"]
    (watch,) = [one for one in policy["PolicyDocument"]["Statement"] if one["Effect"] == "Allow"]
    assert watch["Principal"] == {"Service": "cloudfront.amazonaws.com"}
    assert watch["Action"] == "s3:GetObject"
    patterns = [resource.partition("/video/")[2] for resource in watch["Resource"]]
    assert patterns[:3] == ["*/*.m3u8", "*/latest.jpg", "*/reels/*"]
    page = [f"watch/{name}" for name in {*page_files(), "streams.json"}]
    assert [name for name in page if not any(fnmatch(name, pattern) for pattern in patterns)] == []
    for folder in ("camera", "watch"):  # a camera may have the name of the page's folder
        for secret in ("checkpoint.json", "ahead/9f3c2a1b0d4e.json", "rejected/a.jpg.json", "kept/1 e a.jpg"):
            assert [one for one in patterns if fnmatch(f"{folder}/{secret}", one)] == []
    unwatched = infra.resources(name)["VideoBucketPolicy"]["Properties"]["PolicyDocument"]
    assert [one["Effect"] for one in unwatched["Statement"]] == ["Deny"]


@EACH
def test_players_on_other_pages_may_ask_for_ranges(name: str, infra: Infra) -> None:
    """Before a request with a Range header, older browsers send OPTIONS; only the bucket can answer it."""
    resources = infra.resources(name, Watch="cloudfront")
    behavior = resources["Distribution"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    assert "OPTIONS" in behavior["AllowedMethods"]
    (rule,) = resources["VideoBucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert (rule["AllowedMethods"], rule["AllowedOrigins"], rule["AllowedHeaders"]) == (["GET", "HEAD"], ["*"], ["*"])


@EACH
def test_alarms_and_dashboard_ask_for_what_the_runtime_logs(
    name: str, caplog: pytest.LogCaptureFixture, infra: Infra
) -> None:
    resources = infra.resources(name)
    world = World(settings={"AWS_LAMBDA_FUNCTION_NAME": "TimelapseFunction"})
    function = world.environment()
    with recorded() as documents, caplog.at_level(logging.INFO):
        world.deliver(function, world.upload(0), world.upload(1, b"no photo"))
    (directive,) = documents[0]["_aws"]["CloudWatchMetrics"]
    metrics = {metric["Name"] for metric in directive["Metrics"]}
    alarms = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::CloudWatch::Alarm"]
    ours = [alarm for alarm in alarms if alarm.get("Namespace") == directive["Namespace"]]
    assert {alarm["MetricName"] for alarm in ours} == {"NewestPhotoAge", "Rejected"} <= metrics
    assert {"stream"} < {*documents[0]}
    dashboard = json.dumps(json.loads(resources["Dashboard"]["Properties"]["DashboardBody"]))
    searched = re.findall(r"SEARCH\('\{([^,]+),(\w+)\} MetricName=\\\"(\w+)", dashboard)
    assert searched == [(directive["Namespace"], "stream", "NewestPhotoAge"), (directive["Namespace"], "stream", "Lag")]
    lines = [json.loads(JsonFormatter(LogScope()).format(record)) for record in caplog.records]
    counted = [line for line in lines if line.get("message") == "frame rejected"]
    assert [(line["frame"], line["stream"]) for line in counted] == [("frames/camera/000001.jpg", "camera")]
    assert counted[0]["reason"] in world.rejections().values()
    assert "message = 'frame rejected' | stats count(*) as photos by reason, stream" in dashboard


def test_the_handlers_exist(infra: Infra) -> None:
    few, many = infra.resources("template"), infra.resources("cameras")
    for resources in (few, many):
        assert loader.resolve(resources["TimelapseFunction"]["Properties"]["Handler"], Path.cwd())
    for name, module in (("Router", route), ("Dispatcher", dispatch)):
        stem = module.__name__.rpartition(".")[2]
        assert many[name]["Properties"]["Handler"] == f"{stem}.handler"
        assert callable(module.handler)


def test_the_dispatcher_outwaits_the_function_and_the_queue_outwaits_the_dispatcher(infra: Infra) -> None:
    for seconds, is_allowed in (("840", True), ("841", False)):
        _, said, _ = infra.check("--template", str(TEMPLATES["cameras"]), "--set", f"TimeoutSeconds={seconds}")
        assert ("parameter TimeoutSeconds" not in said) == is_allowed
    longest = infra.resources("cameras", TimeoutSeconds="840")
    dispatcher = longest["Dispatcher"]["Properties"]
    waits = int(variables(longest, "Dispatcher")["FUNCTION_TIMEOUT_SECONDS"]) + dispatch.PATIENCE_SECONDS
    assert waits + dispatch.THROTTLE_PATIENCE_SECONDS < dispatcher["Timeout"]
    queue = longest["FrameQueue"]["Properties"]
    assert queue["VisibilityTimeout"] > dispatcher["Timeout"]
    assert dispatcher["Events"]["Frames"]["Properties"]["BatchSize"] == 1
    assert queue["FifoQueue"] is True
    assert dispatcher["Events"]["Frames"]["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert longest["TimelapseFunction"]["Properties"]["TenancyConfig"] == {"TenantIsolationMode": "PER_TENANT"}
