"""What is in the packages, and what is not."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.packager import archive
from scripts.packager.archive import LIMIT_UNZIPPED_BYTES, unzipped_bytes, write_zip
from scripts.packager.elf import elf_files
from scripts.packager.failure import PackageFailed
from scripts.packager.interpreter import own_executable
from tests.package.conftest import ROOT, Packages
from tests.programs import require_program


def names(archive_path: Path) -> list[str]:
    with zipfile.ZipFile(archive_path) as opened:
        return opened.namelist()


def test_two_builds_are_the_same_bytes(build: Callable[..., Packages], packages: Packages, tmp_path: Path) -> None:
    """Whatever the builder's settings are; the second one has no programs beyond those that it needs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dirname", "dpkg-query", "busybox"):
        (programs / name).symlink_to(require_program(name))
    settings = f"PYTHONHASHSEED=7 TZ=Asia/Tokyo LANG=C PATH={programs} PYTHON={own_executable()}"
    again = build(tmp_path, before=f"umask 077; export {settings};")
    for first, second in zip(packages.archives, again.archives, strict=True):
        assert first.name == second.name
        assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest(), first.name


def test_the_report_is_true(packages: Packages, unpacked: Path) -> None:
    body = packages.function.read_bytes()
    sizes = [path.stat().st_size for path in unpacked.rglob("*") if path.is_file()]
    assert packages.report["sha256"] == hashlib.sha256(body).hexdigest()
    assert packages.report["zipped_bytes"] == len(body)
    assert packages.report["unzipped_bytes"] == sum(sizes) <= LIMIT_UNZIPPED_BYTES
    parts = packages.report["largest_parts"]
    assert len(parts) == 10
    for part in parts:
        assert re.search(rf"^ *{part['unzipped_bytes']:,} .* {re.escape(part['part'])}$", packages.said, re.MULTILINE)


def test_function_and_layers_together_fit_into_lambda(packages: Packages) -> None:
    assert packages.report["unzipped_bytes"] + unzipped_bytes(packages.extension_layer) < LIMIT_UNZIPPED_BYTES


def test_the_layer_is_the_runtime_and_the_extension_and_what_filters_need_is_beside_them(packages: Packages) -> None:
    assert names(packages.layer) == [*names(packages.function), "extensions/timelapse-shutdown"]
    beside = names(packages.extension_layer)
    parts = {re.sub(r".*-packages/([^/]*?)(-[0-9.]+\.dist-info)?/.*", r"\1", name) for name in beside}
    assert parts == {"extensions/timelapse-shutdown", "numpy", "numpy.libs", "PIL", "pillow.libs"}
    assert [name for name in beside if "/PIL/" in name and "/PIL/_imagingft." not in name] == []
    assert not set(beside) & set(names(packages.function))
    assert packages.extension_layer.stat().st_size <= 50_000_000


def test_what_the_templates_name_is_the_newest_build(packages: Packages) -> None:
    for name, archive_path in (("function.zip", packages.function), ("extension.zip", packages.extension_layer)):
        assert packages.function.with_name(name).resolve() == archive_path.resolve()
        for template in ("template.yaml", "cameras.yaml"):
            assert f"Uri: ../dist/{name}\n" in (ROOT / "infra" / template).read_text()


def test_only_what_runs_in_lambda_is_in_it(unpacked: Path) -> None:
    found = [path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()]
    found = [name for name in found if not name.startswith("LICENSES/")]
    unwanted = re.compile(
        r"(^|/)(tests?|idlelib|tkinter|ensurepip|pip|setuptools|include|adopt|cli|dev|emulator|export|fleet|watch)/|\.(h|pxd|pyi|a)$"
    )
    assert [name for name in found if unwanted.search(name)] == []
    assert [name for name in found if name.endswith(".py") and not name.startswith("timelapse_runtime/")] == []
    packages = {dist_info.name.partition("-")[0] for dist_info in unpacked.rglob("*.dist-info")}
    chosen = {"astral", "av", "boto3", "certifi", "httpx", "pillow", "tzdata"}
    theirs = {"anyio", "botocore", "h11", "httpcore", "idna", "jmespath", "python_dateutil", "s3transfer", "six"}
    assert packages == chosen | theirs | {"typing_extensions", "urllib3"}
    services = {path.name for path in (next(unpacked.rglob("botocore/data"))).iterdir() if path.is_dir()}
    assert services == {"s3"}


def test_the_zip_is_small_enough_for_a_direct_upload(packages: Packages) -> None:
    """Lambda quotas, read November 2026: 50 MB zipped, and 250 MB unzipped with all layers; 150 leave room for
    others."""
    assert packages.function.stat().st_size <= 50_000_000
    with zipfile.ZipFile(packages.function) as archive:
        assert sum(info.file_size for info in archive.infolist()) <= 150_000_000


def test_each_authority_is_found_by_its_hash(unpacked: Path) -> None:
    folder = unpacked / "python" / "certificates"
    bundle = next(unpacked.rglob("certifi/cacert.pem")).read_text()
    assert len(list(folder.iterdir())) == bundle.count("BEGIN CERTIFICATE") > 100
    command = [require_program("openssl"), "verify", "-no_check_time", "-no-CAfile", "-CApath", str(folder)]
    subprocess.run([*command, *sorted(map(str, folder.iterdir()))], capture_output=True, check=True)


def test_the_interpreter_looks_there_unless_it_is_told_otherwise(unpacked: Path) -> None:
    program = [str(unpacked / "python" / "bin" / "python3"), "-c", "import ssl; print(ssl.get_default_verify_paths())"]
    for told in ({}, {"SSL_CERT_DIR": "/"}, {"SSL_CERT_FILE": "/dev/null"}):
        said = subprocess.run(program, env=told, capture_output=True, text=True, check=True).stdout
        assert ("bin/../certificates'" in said) == (not told), said


def test_every_module_has_its_bytecode(unpacked: Path) -> None:
    for source in (unpacked / "timelapse_runtime").rglob("*.py"):
        assert list((source.parent / "__pycache__").glob(f"{source.stem}.*.pyc")), source


def test_no_bytecode_names_the_builders_folders(unpacked: Path) -> None:
    folders = [str(ROOT), sys.base_prefix + "/lib", tempfile.gettempdir() + "/tmp"]
    here = re.compile(rb"|".join(re.escape(folder).encode() + rb"[\w/]*/" for folder in folders))
    naming = [path.name for path in unpacked.rglob("*.pyc") if here.search(path.read_bytes())]
    assert [name for name in naming if not name.startswith("_sysconfigdata")] == []


def test_readelf_finds_every_needed_library_inside(unpacked: Path) -> None:
    """By the rules of ld.so(8): RPATH, then the folder that the starter gives to the loader."""
    files = elf_files(unpacked)
    assert len(files) > 100
    listing = subprocess.run(
        [require_program("readelf"), "-dlW", *files], capture_output=True, text=True, check=True
    ).stdout
    libraries = unpacked / "python" / "lib"
    loaders = set()
    needed_by = 0
    for block in re.split(r"^File: ", listing, flags=re.MULTILINE)[1:]:
        file = Path(block.partition("\n")[0])
        loaders |= set(re.findall(r"program interpreter: .*/([^/\]]+)\]", block))
        paths = ":".join(re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", block)).split(":")
        folders = [Path(path.replace("$ORIGIN", str(file.parent))) for path in paths if path.startswith("$ORIGIN")]
        for needed in re.findall(r"\(NEEDED\).*\[(.*)\]", block):
            needed_by += 1
            assert any((folder / needed).is_file() for folder in [*folders, libraries]), f"{file} needs {needed}"
    assert needed_by > 300
    assert len(loaders) == 1, loaders
    assert (libraries / loaders.pop()).is_file()


def test_each_bundled_thing_has_its_licence(unpacked: Path) -> None:
    texts = unpacked / "LICENSES"
    assert "GENERAL PUBLIC LICENSE" in (texts / "pyav-libraries" / "GPL-2.txt").read_text()
    index = (texts / "pyav-libraries" / "INDEX.txt").read_text()
    for library in next(unpacked.rglob("av.libs")).iterdir():
        text = re.search(rf"^{re.escape(library.name)}: (\S+)$", index, re.MULTILINE)
        assert text, library.name
        assert (texts / "pyav-libraries" / text[1]).stat().st_size > 500
    for dist_info in unpacked.rglob("*.dist-info"):
        assert any((texts / "packages" / dist_info.name.removesuffix(".dist-info")).rglob("*")), dist_info.name
    assert "GNU C Library" in (texts / "system" / "libc6.txt").read_text()
    assert list((texts / "cpython").iterdir())
    assert "Bitstream Vera Fonts Copyright" in (texts / "font" / "LICENSE").read_text()
    assert "Apache License" in (texts / "timelapse-runtime" / "LICENSE").read_text()


def test_what_is_too_large_for_lambda_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = tmp_path / "content"
    content.write_bytes(bytes(1000))
    package = tmp_path / "package.zip"
    write_zip(package, {"one": content, "two": content})
    assert unzipped_bytes(package) == 2000
    monkeypatch.setattr(archive, "LIMIT_UNZIPPED_BYTES", 1999)
    with pytest.raises(PackageFailed, match="2,000 bytes unzipped"):
        unzipped_bytes(package)
    assert not package.exists()


@pytest.mark.parametrize("kind", ["function", "layer", "extension_layer"])
def test_everyone_may_read_and_run_what_is_unpacked(packages: Packages, kind: str) -> None:
    with zipfile.ZipFile(getattr(packages, kind)) as opened:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in opened.infolist()}
        assert {info.date_time for info in opened.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert set(modes.values()) <= {0o755, 0o644}
    for name in ("bootstrap", "python/bin/python3", "extensions/timelapse-shutdown"):
        assert modes.get(name, 0o755) == 0o755


def test_the_images_index_leads_to_its_manifest(packages: Packages) -> None:
    index = subprocess.run(["tar", "-xOf", packages.image, "index.json"], capture_output=True, check=True).stdout
    (manifest,) = json.loads(index)["manifests"]
    blob = f"blobs/{manifest['digest'].replace(':', '/')}"
    body = subprocess.run(["tar", "-xOf", packages.image, blob], capture_output=True, check=True).stdout
    assert f"sha256:{hashlib.sha256(body).hexdigest()}" == manifest["digest"]
