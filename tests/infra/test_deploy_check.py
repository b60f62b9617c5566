"""`scripts/deploy-check`: what is right passes, and each thing that would go wrong is named, with its place."""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scripts.deploy_check import __main__ as deploy_check
from scripts.deploy_check import package
from scripts.deploy_check.permissions import allows
from tests.infra.conftest import TEMPLATES

Check = Callable[..., tuple[int, str]]
LOADER = "python/lib/ld-linux-x86-64.so.2"
CONTENT = {
    "bootstrap": 0o755,
    "timelapse_runtime/start.sh": 0o644,
    "timelapse_runtime/timelapse/function.py": 0o644,
    "python/bin/python3": 0o755,
    LOADER: 0o755,
}
X86_64, ARM64 = 0x3E, 0xB7


def write_zip(path: Path, modes: Mapping[str, int], machine: int = X86_64, padding: int = 0) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, mode in modes.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (0o100000 | mode) << 16
            body = b"\x7fELF" + bytes(14) + struct.pack("<H", machine) if name == LOADER else b"#"
            archive.writestr(info, body + bytes(padding))
    return path


@pytest.fixture
def check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Check:
    """`check(*arguments, template="template", edit={old: new})`: exit code and what was said, beside good archives."""
    dist, infra = tmp_path / "dist", tmp_path / "infra"
    dist.mkdir()
    infra.mkdir()
    write_zip(dist / "function.zip", CONTENT)
    write_zip(dist / "extension.zip", {package.EXTENSION: 0o755})

    def run(*arguments: str, template: str = "template", edit: Mapping[str, str] | None = None) -> tuple[int, str]:
        text = TEMPLATES[template].read_text()
        for old, new in (edit or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        path = infra / f"{template}.yaml"
        path.write_text(text)
        code = deploy_check.main(["--template", str(path), *arguments])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"Watch": "cloudfront", "AlarmEmail": "a@example.org"},
        {"AWS::Region": "eu-central-1", "FramesPrefix": "a/b/", "Timezone": "Europe/Berlin"},
    ],
)
@pytest.mark.parametrize("template", ["template", "template over EventBridge", "cameras"])
def test_what_fits_together_passes(template: str, settings: dict[str, str], check: Check) -> None:
    name, _, over = template.partition(" over ")
    bridged = {"Notifications": "eventbridge"} if over else {}
    arguments = [word for key, value in (settings | bridged).items() for word in ("--set", f"{key}={value}")]
    code, said = check(*arguments, template=name)
    assert code == 0
    assert said.endswith(f"{name}.yaml: no problems found\n")
    assert said.count("\n") == 1


FRAMES = "s3://${BucketPrefix}-frames-${AWS::AccountId}-${AWS::Region}/${FramesPrefix}"


@pytest.mark.parametrize(
    ("edit", "where", "what"),
    [
        ({"ReservedConcurrentExecutions: 1 ": "Description: x "}, "ReservedConcurrentExecutions", "not set"),
        ({"ReservedConcurrentExecutions: 1 ": "ReservedConcurrentExecutions: 5 "}, "ReservedConcurrent", "it is 5"),
        ({"Timeout: !Ref TimeoutSeconds": "Timeout: 20"}, "TimelapseFunction.Timeout", "it is 20"),
        ({"Timeout: !Ref TimeoutSeconds": "Timeout: long"}, "TimelapseFunction.Timeout", "it is long"),
        ({"      Timeout: !Ref TimeoutSeconds\n": ""}, "TimelapseFunction.Timeout", "it is 3"),
        ({"MemorySize: !Ref MemorySizeMb": "MemorySize: 128"}, "MemorySize", "it is 128"),
        ({"Runtime: !Ref LambdaRuntime\n      Arch": "Runtime: python3.13\n      Arch"}, "Runtime", "python3.13"),
        ({"TIMELAPSE_CRF: ": "TIMELAPSE_CFR: "}, "Variables.TIMELAPSE_CFR", "no such variable"),
        ({"TIMELAPSE_FRAMES: ": "FRAMES: "}, "Variables.TIMELAPSE_FRAMES", "not set"),
        ({"s3://${VideoBucket}/${VideoPrefix}": f"{FRAMES}films/"}, "Variables.TIMELAPSE_VIDEO", "its own output"),
        ({"[{Name: prefix, Value: !Ref FramesPrefix}]": "[]"}, "NotificationConfiguration[0]", "make them equal"),
        ({"Value: !Ref FramesPrefix}]": "Value: photos/}]"}, "NotificationConfiguration[0]", "make them equal"),
        ({"        - LambdaConfigurations:": "        - QueueConfigurations:"}, "template.yaml", "nothing tells"),
        ({"'s3:DeleteObject', ": ""}, "TimelapseRole", "s3:DeleteObject"),
        ({"Resource: !Sub ${VideoBucket.Arn}/${VideoPrefix}*": "Resource: x"}, "TimelapseRole", "s3:GetObject"),
        (
            {"StringLikeIfExists: {'s3:prefix': !Sub '${F": "StringLike: {'s3:prefix': !Sub '${F"},
            "TimelapseRole",
            "List",
        ),
        ({"{'s3:prefix': !Sub '${FramesPrefix}*'}": "{'s3:prefix': x}, DateLessThan: {}"}, "TimelapseRole", "DateLess"),
        ({"Layers: [!Ref ShutdownLayer]": "Layers: []"}, "layers", "extensions/timelapse-shutdown"),
        ({"dist/function.zip": "dist/nothing.zip"}, "nothing.zip", "cannot be read"),
        ({"Handler: timelapse_runtime.": "Handler: timelapse."}, "template.yaml", "0 functions"),
    ],
)
def test_each_error_in_a_template_is_named_with_its_place(
    edit: dict[str, str], where: str, what: str, check: Check
) -> None:
    code, said = check(edit=edit)
    assert code == 1
    (place, text), *_ = re.findall(r"^error: (.+?): (.+\n    .+)$", said, re.MULTILINE)
    assert where in place
    assert what in text


def test_a_film_below_what_invokes_the_function_is_refused(check: Check) -> None:
    """Not below FRAMES, where the configuration itself refuses it, but below a wider notification."""
    frames = "${BucketPrefix}-frames-${AWS::AccountId}-${AWS::Region}"
    edit = {"s3://${VideoBucket}/": f"s3://{frames}/", "[{Name: prefix, Value: !Ref FramesPrefix}]": "[]"}
    code, said = check(edit=edit)
    assert code == 1
    assert "the function would feed itself" in said


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        ({"TenancyConfig: {": "ReservedConcurrentExecutions: 1\n      TenancyConfig: {"}, "leave it out"),
        ({"TenancyConfig: {": "SnapStart: {ApplyOn: PublishedVersions}\n      TenancyConfig: {"}, "excludes it"),
        ({"object: {key: [{prefix: !Ref FramesPrefix}]}": "object: {key: [{prefix: x/}]}"}, "make them equal"),
    ],
)
def test_each_error_with_tenants_is_named(edit: dict[str, str], what: str, check: Check) -> None:
    code, said = check(template="cameras", edit=edit)
    assert code == 1
    assert what in said


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("Crf=99", "allowed: 0 to 51"),
        ("Size=101x50", "allowed: auto, or WIDTHxHEIGHT"),
        ("Fpss=30", "no such parameter"),
        ("Architecture=riscv", "allowed: x86_64, arm64"),
        ("TimeoutSeconds=10", "allowed: a number from 60 to 900"),
        ("MemorySizeMb=much", "allowed: a number from 512 to 10240"),
        ("FramesPrefix=frames", "allowed: what matches"),
        ("Architecture=arm64", "built for x86_64"),
    ],
)
def test_each_wrong_setting_is_named(setting: str, what: str, check: Check) -> None:
    code, said = check("--set", setting)
    assert code == 1
    assert what in said


def without(name: str, **more: int) -> dict[str, int]:
    return {key: mode for key, mode in CONTENT.items() if key != name} | more


@pytest.mark.parametrize(
    ("modes", "machine", "what"),
    [
        (without("bootstrap"), X86_64, "there is no bootstrap at its root"),
        ({f"folder/{key}": mode for key, mode in CONTENT.items()}, X86_64, "it is at folder/bootstrap"),
        (without("bootstrap", bootstrap=0o644), X86_64, "bootstrap has the mode 644"),
        (without("bootstrap", bootstrap=0o700), X86_64, "bootstrap has the mode 700"),
        (without("timelapse_runtime/timelapse/function.py"), X86_64, "there is no timelapse_runtime/timelapse"),
        (without(LOADER), X86_64, "no interpreter of its own"),
        (CONTENT, ARM64, "deploy with Architecture=arm64"),
        (CONTENT, 8, "ELF machine 8"),
    ],
)
def test_each_error_in_a_package_is_named(
    modes: dict[str, int], machine: int, what: str, check: Check, tmp_path: Path
) -> None:
    path = write_zip(tmp_path / "other.zip", modes, machine)
    code, said = check("--package", str(path))
    assert code == 1
    assert what in said


def test_what_is_too_large_is_an_error_unzipped_and_a_word_zipped(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_zip(tmp_path / "other.zip", CONTENT, padding=1_000)
    monkeypatch.setattr(package, "DIRECT_LIMIT_BYTES", path.stat().st_size - 1)
    code, said = check("--package", str(path))
    assert code == 0
    assert "note: " in said
    monkeypatch.setattr(package, "UNZIPPED_LIMIT_BYTES", 5 * 1_001)  # the extension is on top
    code, said = check("--package", str(path))
    assert code == 1
    assert re.search(r"hold 5,\d+ bytes unzipped; Lambda takes 5,005", said)


@pytest.mark.parametrize(
    "text",
    ["Resources: [", "Parameters: {}", "Resources: {A: {Type: X, Properties: {B: !Ref C}}}", "Resources: {A: !Cidr x}"],
)
def test_what_is_no_template_is_trouble_and_no_verdict(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    assert deploy_check.main(["--template", str(path)]) == 2
    assert str(path) in capsys.readouterr().err


def test_a_deny_and_a_condition_count_in_a_policy() -> None:
    allow = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}
    deny = {
        "Effect": "Deny",
        "Action": ["s3:Delete*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"k": ["v", "w"]}},
    }
    for context, is_allowed in (({}, True), ({"k": "w"}, False), ({"k": "x"}, True)):
        assert allows([allow, deny], "s3:DeleteObject", "arn:aws:s3:::b/1", context) is is_allowed
    assert not allows([allow], "s3:GetObject", "arn:aws:s3:::c/1")
    assert not allows([], "s3:GetObject", "arn:aws:s3:::b/1")
    with pytest.raises(ValueError, match="NotAction"):
        allows([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], "s3:GetObject", "arn:aws:s3:::b/1")
