"""`scripts/deploy-check`: correct templates and packages pass, and each error is reported with its place."""

from __future__ import annotations

import re
import struct
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from scripts.deploy_check.package import DIRECT_LIMIT_BYTES, EXTENSION, UNZIPPED_LIMIT_BYTES
from scripts.deploy_check.permissions import allows
from tests.infra.conftest import ROOT, TEMPLATES, Infra

Check = Callable[..., tuple[int, str]]
LOADER = "python/lib/ld-linux-x86-64.so.2"
CONTENT = {
    "bootstrap": 0o755,
    "timelapse_runtime/start.sh": 0o644,
    "timelapse_runtime/timelapse/__init__.py": 0o644,
    "python/bin/python3": 0o755,
    LOADER: 0o755,
}
OWN = {name: mode for name, mode in CONTENT.items() if "/timelapse/" not in name} | {"app.py": 0o644}
X86_64, ARM64 = 0x3E, 0xB7
KEY = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def write_zip(
    path: Path, modes: Mapping[str, int], machine: int = X86_64, padding: int = 0, compression: int = zipfile.ZIP_STORED
) -> Path:
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        for name, mode in modes.items():
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (0o100000 | mode) << 16
            body = b"\x7fELF" + bytes(14) + struct.pack("<H", machine) if name == LOADER else b"#"
            archive.writestr(info, body + bytes(padding), compression)
    return path


@pytest.fixture
def check(tmp_path: Path, infra: Infra) -> Check:
    """`check(*arguments, template="template", edit={old: new})`: exit code and output, with correct archives."""
    dist, folder = tmp_path / "dist", tmp_path / "infra"
    dist.mkdir()
    folder.mkdir()
    write_zip(dist / "function.zip", CONTENT)
    write_zip(dist / "extension.zip", {EXTENSION: 0o755})
    write_zip(dist / "own-function.zip", OWN)
    write_zip(dist / "own-extension.zip", {EXTENSION: 0o755})

    def run(*arguments: str, template: str = "template", edit: Mapping[str, str] | None = None) -> tuple[int, str]:
        text = TEMPLATES[template].read_text()
        for old, new in (edit or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        path = folder / f"{template}.yaml"
        path.write_text(text)
        code, out, err = infra.check("--template", str(path), *arguments)
        return code, out + err

    return run


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        ({}, ()),
        ({"Watch": "cloudfront", "AlarmEmail": "a@example.org"}, ()),
        ({"FramesPrefix": "a/b/", "Timezone": "Europe/Berlin"}, ("--region", "eu-central-1")),
        ({"ExistingFramesBucket": "my.photos"}, ()),
        ({"ExistingFramesBucket": "my.photos", "FramesPrefix": "", "KmsKeyArn": KEY}, ()),
    ],
)
@pytest.mark.parametrize("template", ["template", "template over EventBridge", "cameras"])
def test_what_fits_together_passes(
    template: str, settings: dict[str, str], options: tuple[str, ...], check: Check
) -> None:
    name, _, over = template.partition(" over ")
    bridged = {"Notifications": "eventbridge"} if over else {}
    arguments = [word for key, value in (settings | bridged).items() for word in ("--set", f"{key}={value}")]
    code, said = check(*arguments, *options, template=name)
    assert code == 0, said
    assert said.endswith(f"{name}.yaml: no problems found\n")
    assert said.count("\n") == 1


FRAMES = "s3://${BucketPrefix}-frames-${AWS::AccountId}-${AWS::Region}/${FramesPrefix}"


FUNCTION = "Resources/TimelapseFunction/Properties"
VARIABLES = f"{FUNCTION}/Environment/Variables"
NOTIFICATION = "Resources/FramesBucket/Properties/NotificationConfiguration/LambdaConfigurations/0"
ROLE = "Resources/TimelapseRole"


@pytest.mark.parametrize(
    ("edit", "where", "what"),
    [
        (
            {"Executions: !If [IsReserved, 1, !Ref 'AWS::NoValue']": "Executions: 5"},
            f"{FUNCTION}/ReservedConcurrentExecutions",
            "it is 5",
        ),
        ({"Timeout: !Ref TimeoutSeconds": "Timeout: 20"}, f"{FUNCTION}/Timeout", "it is 20\n    allowed: 60 to 900"),
        ({"Timeout: !Ref TimeoutSeconds": "Timeout: long"}, f"{FUNCTION}/Timeout", "'long' is not of type 'integer'"),
        ({"      Timeout: !Ref TimeoutSeconds\n": ""}, f"{FUNCTION}/Timeout", "it is 3"),
        ({"MemorySize: !Ref MemorySizeMb": "MemorySize: 128"}, f"{FUNCTION}/MemorySize", "it is 128"),
        (
            {"EphemeralStorage: {Size: !Ref EphemeralStorageMb}": "EphemeralStorage: {Size: 20}"},
            f"{FUNCTION}/EphemeralStorage/Size",
            "it is 20\n    allowed: 512 to 10240",
        ),
        (
            {"Runtime: !Ref LambdaRuntime\n      Arch": "Runtime: python3.13\n      Arch"},
            f"{FUNCTION}/Runtime",
            "python3",
        ),
        ({"TIMELAPSE_CRF: ": "TIMELAPSE_CFR: "}, f"{VARIABLES}/TIMELAPSE_CFR", "no such variable"),
        ({"TIMELAPSE_FRAMES: ": "FRAMES: "}, f"{VARIABLES}/TIMELAPSE_FRAMES", "not set"),
        ({"s3://${VideoBucket}/${VideoPrefix}": f"{FRAMES}videos/"}, f"{VARIABLES}/TIMELAPSE_VIDEO", "its own output"),
        ({"[{Name: prefix, Value: !Ref FramesPrefix}]": "[]"}, NOTIFICATION, "make them equal"),
        ({"Value: !Ref FramesPrefix}]": "Value: photos/}]"}, NOTIFICATION, "make them equal"),
        (
            {
                "        - LambdaConfigurations:": "        - QueueConfigurations:",
                "Function: !GetAtt TimelapseFunction.Arn\n              Filter": "Queue: !GetAtt FailureQueue.Arn\n"
                "              Filter",
            },
            "Resources",
            "nothing tells",
        ),
        ({"'s3:DeleteObject', ": ""}, ROLE, "s3:DeleteObject"),
        ({"Resource: !Sub ${VideoBucket.Arn}/${VideoPrefix}*": "Resource: arn:aws:s3:::x"}, ROLE, "s3:GetObject"),
        (
            {"StringLikeIfExists: {'s3:prefix': !Sub '${F": "StringLike: {'s3:prefix': !Sub '${F"},
            ROLE,
            "List",
        ),
        (
            {"{'s3:prefix': !Sub '${FramesPrefix}*'}": "{'s3:prefix': x}, DateLessThan: {'aws:CurrentTime': x}"},
            ROLE,
            "DateLess",
        ),
        ({"Layers: [!Ref ShutdownLayer]": "Layers: []"}, "layers", "extensions/timelapse-shutdown"),
        ({"dist/function.zip": "dist/nothing.zip"}, "dist/nothing.zip", "cannot be read"),
        ({"Handler: timelapse_runtime.": "Handler: timelapse."}, "Resources", "0 functions"),
        (
            {"Outputs:": "  Twin:\n    Type: AWS::S3::Bucket\n    Propertys: {}\n\nOutputs:"},
            "Resources/Twin/Propertys",
            "E3001",
        ),
    ],
)
def test_each_error_in_a_template_is_named_with_its_place(
    edit: dict[str, str], where: str, what: str, check: Check
) -> None:
    code, said = check(edit=edit)
    assert code == 1
    (place, text), *_ = re.findall(r"^error: (?:\S+:\d+: )?(\S+): (.+\n    .+)$", said, re.MULTILINE)
    assert place.endswith(where)
    assert what in text


def test_an_error_in_a_template_has_its_line(check: Check, tmp_path: Path) -> None:
    _, said = check(edit={"Timeout: !Ref TimeoutSeconds": "Timeout: 20"})
    path = tmp_path / "infra" / "template.yaml"
    (line,) = re.findall(rf"^error: {path}:(\d+): ", said, re.MULTILINE)
    assert path.read_text().splitlines()[int(line) - 1].strip() == "Timeout: 20"


def test_a_warning_of_cfn_lint_is_a_note(check: Check) -> None:
    code, said = check(edit={"Conditions:\n": "Conditions:\n  Unused: !Equals [!Ref Watch, x]\n"})
    assert code == 0
    assert re.search(r"^note: \S+:\d+: Conditions/Unused: Condition Unused not used\n    W8001: ", said, re.MULTILINE)
    assert said.endswith("no problems found\n")


def test_a_layer_that_cannot_be_resolved_is_named(check: Check) -> None:
    code, said = check(edit={"ContentUri: ../dist/extension.zip": "ContentUri: !ImportValue x"})
    assert code == 1
    assert "error: layers: cannot resolve {'Fn::ImportValue': 'x'}" in said


def test_a_video_below_what_invokes_the_function_is_refused(check: Check) -> None:
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
    ("setting", "where", "what"),
    [
        ("Crf=99", "parameter Crf", "it is '99'\n    allowed: auto|"),
        ("Fps=121", "parameter Fps", "it is '121'\n    allowed: MinValue 1 and MaxValue 120"),
        ("Fps=1.5", "Variables/TIMELAPSE_FPS", "allowed: 1 to 120"),
        ("Size=101x50", "parameter Size", "allowed: auto|(1[68]|"),
        ("Timezone=Mars/Olympus", "Variables/TIMELAPSE_TIMEZONE", "allowed: an IANA name"),
        ("SweepSchedule=rate(1 days)", "parameter SweepSchedule", r"allowed: rate\((1 (minute|hour|day)|"),
        ("Fpss=30", "--set Fpss", "no such parameter"),
        ("Architecture=riscv", "parameter Architecture", "it is 'riscv'\n    allowed: x86_64, arm64"),
        ("TimeoutSeconds=10", "parameter TimeoutSeconds", "it is '10'\n    allowed: MinValue 60 and MaxValue 900"),
        ("MemorySizeMb=much", "parameter MemorySizeMb", "allowed: a number"),
        ("FramesPrefix=frames", "parameter FramesPrefix", "allowed: ([A-Za-z0-9_.-]+/)*"),
        ("KmsKeyArn=alias/photos", "parameter KmsKeyArn", "allowed: (arn:aws"),
        ("ReserveConcurrency=2", "parameter ReserveConcurrency", "allowed: no, yes"),
        ("Architecture=arm64", "dist/function.zip", "built for x86_64"),
    ],
)
def test_each_wrong_setting_is_named(setting: str, where: str, what: str, check: Check) -> None:
    code, said = check("--set", setting)
    assert code == 1
    assert said.count("error: ") == 1
    assert where in said
    assert what in said


def test_all_errors_are_reported_at_once(check: Check, tmp_path: Path) -> None:
    (tmp_path / "dist" / "function.zip").unlink()
    settings = ("Crf=99", "Fpss=30", "Timezone=Mars/Olympus", "Include=[a")
    arguments = [word for setting in settings for word in ("--set", setting)]
    code, said = check(*arguments, edit={"Timeout: !Ref TimeoutSeconds": "Timeout: 20"})
    assert code == 1
    places = ("parameter Crf", "--set Fpss", "TIMELAPSE_TIMEZONE", "TIMELAPSE_INCLUDE", "/Timeout", "function.zip")
    assert [place for place in places if not re.search(f"^error: .*{place}", said, re.MULTILINE)] == []
    assert said.endswith(f"errors found: {len(places)}\n")


def test_a_parameter_without_a_value_is_named(check: Check) -> None:
    code, said = check(edit={"    Default: timelapse\n": ""})
    assert code == 1
    assert "parameter BucketPrefix: it has no value\n    give it one: --set BucketPrefix=VALUE" in said
    assert check("--set", "BucketPrefix=x", edit={"    Default: timelapse\n": ""})[0] == 0


def test_a_backfill_needs_no_events_but_places_and_a_right_role(check: Check) -> None:
    places = ("--set", "FramesBucket=photos", "--set", "VideoBucket=videos")
    assert check(*places, template="backfill")[0] == 0
    code, said = check(template="backfill")
    assert code == 1
    assert "parameter FramesBucket: it has no value" in said
    code, said = check(*places, template="backfill", edit={"'s3:DeleteObject', ": ""})
    assert code == 1
    assert "it does not allow s3:DeleteObject on arn:aws:s3:::videos/video/camera/object" in said


def without(name: str, **more: int) -> dict[str, int]:
    return {key: mode for key, mode in CONTENT.items() if key != name} | more


@pytest.mark.parametrize(
    ("modes", "machine", "what"),
    [
        (without("bootstrap"), X86_64, "there is no bootstrap at its root"),
        ({f"folder/{key}": mode for key, mode in CONTENT.items()}, X86_64, "it is at folder/bootstrap"),
        (without("bootstrap", bootstrap=0o644), X86_64, "bootstrap has the mode 644"),
        (without("bootstrap", bootstrap=0o700), X86_64, "bootstrap has the mode 700"),
        (without("timelapse_runtime/timelapse/__init__.py"), X86_64, "it has no module timelapse_runtime.timelapse"),
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


def test_a_size_is_an_error_unzipped_and_a_note_zipped(check: Check, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "other.zip", CONTENT, padding=DIRECT_LIMIT_BYTES // len(CONTENT))
    code, said = check("--package", str(path))
    assert code == 0
    assert "note: " in said
    each = UNZIPPED_LIMIT_BYTES // len(CONTENT)
    write_zip(path, CONTENT, padding=each, compression=zipfile.ZIP_DEFLATED)
    code, said = check("--package", str(path))
    assert code == 1
    assert re.search(r"hold 262,14\d,\d{3} bytes unzipped; Lambda takes 262,144,000", said)


@pytest.mark.parametrize(
    "text",
    [
        "Resources: [",
        "Parameters: {}",
        "Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref C}}}",
        "Resources: {A: !Cidr x}",
        "Resources: {A: {Type: AWS::S3::Bucket, Properties: {BucketName: !ImportValue x}}}",
    ],
)
def test_a_template_that_cannot_be_resolved_has_no_verdict(text: str, tmp_path: Path, infra: Infra) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    code, out, err = infra.check("--template", str(path))
    assert (code, out) == (2, "")
    assert str(path) in err


def test_the_program_reports_the_same_from_any_folder(check: Check, tmp_path: Path) -> None:
    code, said = check("--set", "Crf=99")
    command = [str(ROOT / "scripts" / "deploy-check"), "--template", "infra/template.yaml", "--set", "Crf=99"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == said.replace(f"{tmp_path}/", "")


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


def test_a_function_of_ones_own_needs_its_handler_in_its_package(check: Check) -> None:
    code, said = check("--set", "Handler=app.Counter", template="function")
    assert (code, said.count("\n")) == (0, 1), said
    assert check("--set", "Handler=app.Counter", "--set", "State=none", template="function")[0] == 0
    code, said = check("--set", "Handler=shop.cart.Cart", template="function")
    assert code == 1
    assert "own-function.zip: it has no module shop.cart, which the handler shop.cart.Cart names" in said
    code, said = check("--set", "Handler=Counter", template="function")
    assert "parameter Handler: it is 'Counter'" in said
    code, said = check(
        "--set",
        "Handler=app.Counter",
        template="function",
        edit={"ContentUri: ../dist/own-": "ContentUri: ../dist/no-"},
    )
    assert code == 1


def test_a_function_of_ones_own_without_the_extension_is_told_what_it_loses(check: Check) -> None:
    edit = {"      Layers: [!Ref ShutdownLayer]\n": ""}
    code, said = check("--set", "Handler=app.Counter", template="function", edit=edit)
    assert code == 1
    assert "add dist/own-extension.zip as a layer: without it, what the function leaves in its outbox" in said
