"""Each command in the documents is one that its program takes: names, options and what must be given.

Those of `timelapse` are parsed by its own parser, and those of `aws` by botocore's model of the service. The ones that
need nothing but this machine are run by tests/integration/test_documented_commands_run.py.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name
from botocore.exceptions import UnknownServiceError
from botocore.model import OperationModel

from tests.documents import DOCUMENTS, PROGRAMS, ROOT, Command, begins_like_a_command, commands, in_backticks
from timelapse_runtime.cli.main import parse
from timelapse_runtime.dev.main import parse as parse_dev

COMMANDS = commands()
STAND_INS = {"…": "bucket", "BUCKET": "bucket", "VIDEO": "bucket", "IN/": "in-bucket/", "OUT/": "out-bucket/"}
"""What stands for a bucket in the documents: its name must be one."""

AWS_EVERYWHERE = {"region", "profile", "output", "query", "cli-binary-format", "endpoint-url"}
"""Options of every `aws` command. Source: AWS CLI user guide, 'Command line options', read November 2026."""
AWS_OWN = {
    ("lambda", "invoke"): {"outfile"},
    ("lambda", "create-function"): {"zip-file"},
    ("lambda", "publish-layer-version"): {"zip-file"},
    ("logs", "tail"): {"group", "since", "follow", "format", "filter-pattern"},
}
"""What the AWS CLI has beside the service's parameters. Source: its command reference, read November 2026."""
POSITIONAL = {"outfile", "group"}

AWS_S3 = {
    "cp": {"recursive", "exclude", "include"},
    "sync": {"exclude", "include", "delete"},
    "rb": {"force"},
    "rm": {"recursive"},
    "ls": {"recursive"},
}
"""`aws s3` is the AWS CLI's own, and so are its options. Source: its command reference, read November 2026."""
SAM = {
    "deploy": {
        "guided",
        "template",
        "template-file",
        "parameter-overrides",
        "stack-name",
        "config-env",
        "config-file",
        "region",
    },
    "delete": {"stack-name", "config-env", "config-file", "region", "no-prompts"},
    "validate": {"template", "lint", "config-env", "config-file"},
}
"""Source: AWS SAM developer guide, 'AWS SAM CLI command reference', read November 2026."""


def split(text: str) -> tuple[list[str], dict[str, str]]:
    """Positional words, and options with their values: an option without one has an empty value."""
    words, options, name = list[str](), dict[str, str](), ""
    for word in shlex.split(text):
        if word.startswith("--"):
            name, _, value = word[2:].partition("=")
            options[name] = value
            name = "" if value else name
        elif name:
            options[name], name = word, ""
        else:
            words.append(word)
    return words, options


@cache
def operation(service: str, name: str) -> OperationModel | None:
    """Botocore's model of `aws SERVICE NAME`; None if there is none."""
    try:
        model = botocore.session.get_session().get_service_model(service)
    except UnknownServiceError:
        return None
    found = (one for one in model.operation_names if xform_name(one, "-") == name)
    return next((model.operation_model(one) for one in found), None)


def problems_of_aws(text: str) -> list[str]:
    """What is wrong with an `aws` command. One without any option is a mention: only its name is looked at."""
    words, options = split(re.sub(r" > \S+$", "", text))
    _, service, name, *rest = words
    if service == "s3":
        return sorted(set(options) - AWS_EVERYWHERE - AWS_S3[name]) if name in AWS_S3 else [name]
    service = "s3" if service == "s3api" else service
    own = AWS_OWN.get((service, name), set())
    model = operation(service, name)
    if model is None and not own:
        return [f"no such operation: {service} {name}"]
    shape = model.input_shape if model else None
    known = {xform_name(one, "-") for one in (shape.members if shape else ())} | AWS_EVERYWHERE | own
    required = {xform_name(one, "-") for one in (shape.required_members if shape else ())}
    required -= {"code", "content"} if "zip-file" in own else set()  # the option stands for them
    problems = [f"unknown: --{one}" for one in options if one not in known]
    if options:
        problems += [f"missing: --{one}" for one in sorted(required - set(options))]
        if len(rest) != len(own & POSITIONAL):
            problems.append(f"positional: {rest}")
    json.loads(options.get("payload", "{}"))
    return problems


def with_buckets(text: str) -> str:
    for word, stand_in in STAND_INS.items():
        text = text.replace(f"s3://{word}", f"s3://{stand_in}")
    return text.replace("QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/000000000000/photos")


def test_every_line_of_a_command_block_is_a_command() -> None:
    assert [str(one) for one in COMMANDS if not begins_like_a_command(one.text)] == []
    assert {one.text.split()[0] for one in COMMANDS} >= PROGRAMS  # none of these is there for nothing


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if re.match(r"(scripts/)?timelapse |scripts/replay", one.text)], ids=str
)
def test_the_parser_takes_a_timelapse_command(command: Command) -> None:
    program, *arguments = shlex.split(with_buckets(command.text))
    if "--help" in arguments or "--version" in arguments:
        with pytest.raises(SystemExit) as stopped:
            parse(arguments)
        assert stopped.value.code == 0
    else:
        parse(["replay", *arguments] if program == "scripts/replay" else arguments)


@pytest.mark.parametrize(
    "command", [one for one in COMMANDS if re.match(r"(scripts/)?timelapse-runtime ", one.text)], ids=str
)
def test_the_parser_takes_a_command_of_the_runtime(command: Command, tmp_path: Path) -> None:
    (tmp_path / "event.json").write_text("{}")
    text = re.sub(r"\w+\.json", str(tmp_path / "event.json"), command.text)
    parse_dev(shlex.split(re.sub(r"--folder \S+", "", text))[1:])


@pytest.mark.parametrize("text", [one.text for one in COMMANDS if one.text.startswith("aws ")])
def test_the_service_takes_an_aws_command(text: str) -> None:
    assert problems_of_aws(text) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_an_aws_command_in_the_text_exists(document: Path) -> None:
    for text in in_backticks(document):
        if text.startswith("aws "):
            assert problems_of_aws(text) == [], text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aws lambda invoke --function FUNCTION answer.json", "unknown: --function"),
        ("aws lambda invoke --payload '{}' answer.json", "missing: --function-name"),
        ("aws lambda invoke --function-name FUNCTION", "positional: []"),
        ("aws lamda invoke", "no such operation: lamda invoke"),
        ("aws sqs purge", "no such operation: sqs purge"),
        ("aws s3 remove s3://bucket/", "remove"),
        ("aws s3 rb --recursive s3://bucket", "recursive"),
    ],
)
def test_a_wrong_aws_command_is_noticed(text: str, problem: str) -> None:
    assert problem in problems_of_aws(text)


@pytest.mark.parametrize("text", [one.text for one in COMMANDS if one.text.startswith("sam ")])
def test_sam_has_the_options_of_a_sam_command(text: str) -> None:
    (_, name), options = split(text)
    assert set(options) <= SAM[name]
    template = options.get("template") or options.get("template-file")
    assert template is None or (ROOT / template).is_file()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_runs_with_python_exists(document: Path) -> None:
    """Modules after `python -m`, which measured something, and the tests of a `pytest` or `scripts/test` command."""
    for text in [one.text for one in COMMANDS if one.document == document] + list(in_backticks(document)):
        if module := re.match(r"(?:\S*/)?python3? -m ([\w.]+)", text):
            assert importlib.util.find_spec(module[1]) is not None, text
        if re.match(r"(pytest|scripts/test) ", text):
            for path in re.findall(r" (tests/[\w./]+)", text):
                assert (ROOT / path).exists(), text
