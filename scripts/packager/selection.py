"""Which files of the standard library, of the packages and of the project are deployed.

By exclusion, so that any other stateful function finds what it expects of Python (scipy and scikit-learn import
unittest and pydoc). Left out are tests, headers, type stubs, sources that have a compiled extension beside them,
installers, modules for a terminal or a screen, and the SDK's data for services other than S3.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator
from pathlib import Path

_STDLIB_FOLDERS = {
    "__pycache__", "dist-packages", "distutils", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "site-packages",
    "test", "tests", "tkinter", "turtledemo", "venv", "curses",
}  # fmt: skip
_STDLIB_FILES = re.compile(
    r"LICENSE\.txt|EXTERNALLY-MANAGED|(turtle|doctest|_pydecimal|_pyio)\.py"
    # Tests; what was removed from or is leaving Python; readline and gdbm, which are GPL, for want of a terminal.
    r"|(_test.*|_ctypes_test|_xxtest.*|xxlimited.*|_tkinter|_curses.*|readline|_dbm|_gdbm|nis|ossaudiodev|spwd|_crypt)"
    r"\.[^/]*\.so"
)

_PACKAGE_FOLDERS = {"__pycache__", "tests", "test", "include", "_examples", "_pyinstaller", "f2py", "distutils"}
_PACKAGE_FILES = re.compile(r".*\.(pyi|pxd|pyx|pxi|c|h|hpp|a|typed|md|rst)|conftest\.py")
_NOT_OF_PACKAGES = re.compile(
    r"pip/.*|setuptools/.*|pkg_resources/.*|_distutils_hack/.*|distutils-precedence\.pth|timelapse_runtime\.pth"
    r"|[^/]*\.dist-info/(?!METADATA$).*"
)
_SDK_DATA_LEFT_OUT = re.compile(
    r"botocore/data/(?!s3/)[^/]+/.*|botocore/data/s3/.*/(examples|paginators|waiters)-[^/]*"
    r"|botocore/cacert\.pem"  # certifi's takes its place
    r"|boto3/(data|examples)/.*"  # of the resource interface
)
"""botocore's data for all services is 28 MB, gzipped."""
_PILLOW_LEFT_OUT = re.compile(
    r"PIL/(_avif|_imagingtk)\..*"  # AVIF and Tk
    r"|pillow\.libs/libavif-.*"  # of the first alone
)
"""5 MB. Pillow works without them: it finds out at the call whether an extension is there."""
_NUMPY_LEFT_OUT = re.compile(r"numpy/_core/(_simd|_\w+_tests|_umath_tests)\..*\.so")
"""2 MB for numpy's own tests."""
_OF_LAYER = re.compile(
    r"(numpy|numpy\.libs|numpy-[^/]*\.dist-info)/.*"
    r"|PIL/_imagingft\..*|pillow\.libs/lib(freetype|harfbuzz|brotli\w+|png\d+)-.*"  # Pillow's part for text
)
MEDIA = frozenset({"astral", "av", "numpy", "pillow"})
"""Distributions for the timelapse function alone. Without them nothing in a package is under the GPL."""
SDK = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
"""AWS's, and what it needs, for the timelapse function: the runtime itself does not use it. It has the data of S3
alone, which a function of one's own would stumble over."""
OPTIONAL = MEDIA | SDK
_NEVER_DEPLOYED = frozenset({"pip", "setuptools"})

_NOT_DEPLOYED = {"__pycache__", "adopt", "cli", "dev", "emulator", "export", "fleet", "watch"}

_LEFT_OUT = _SDK_DATA_LEFT_OUT, _PILLOW_LEFT_OUT, _NUMPY_LEFT_OUT


def stdlib_files(folder: Path) -> Iterator[Path]:
    """Files of the standard library that are deployed, relative to `folder`."""
    for path in _files(folder, _STDLIB_FOLDERS):
        in_configuration = path.parts[0].startswith("config-")  # headers' and linkers' side of Python
        if not in_configuration and not _STDLIB_FILES.fullmatch(path.name):
            yield path


def distributions(folder: Path, without: Collection[str] = ()) -> list[Path]:
    """The `*.dist-info` folders of what is deployed; `without` has normalized names."""
    left_out = _NEVER_DEPLOYED.union(without)
    return [path for path in sorted(folder.glob("*.dist-info")) if distribution(path) not in left_out]


def distribution(dist_info: Path) -> str:
    """The normalized name (PEP 503) of the distribution that a `*.dist-info` folder is of."""
    return re.sub(r"[-_.]+", "-", dist_info.name.partition("-")[0]).lower()


def package_files(folder: Path, without: Collection[str] = ()) -> Iterator[Path]:
    """Files of the installed packages that are deployed, relative to `folder`; `without` names distributions."""
    deployed = {path.name for path in distributions(folder, without)}
    absent = {file for path in folder.glob("*.dist-info") if path.name not in deployed for file in _recorded(path)}
    for path in _files(folder, _PACKAGE_FOLDERS):
        if path.as_posix() in absent:
            continue
        if _PACKAGE_FILES.fullmatch(path.name) or _NOT_OF_PACKAGES.fullmatch(path.as_posix()):
            continue
        if any(left_out.fullmatch(path.as_posix()) for left_out in _LEFT_OUT):
            continue
        if path.suffix == ".py" and any((folder / path.parent).glob(f"{path.stem}.*.so")):
            continue  # the source that the extension was compiled from
        yield path


def _recorded(dist_info: Path) -> Iterator[str]:
    """The files of a distribution. Source: PyPA, 'Recording installed projects', read November 2026."""
    with (dist_info / "RECORD").open(newline="") as file:
        yield from (row[0] for row in csv.reader(file))


def is_of_layer(path: str) -> bool:
    """Whether a file of a package, relative to the folder of packages, is in the layer beside the function's zip, and
    not in the zip: numpy, and what draws text, with which the zip would be too large for a direct upload."""
    return _OF_LAYER.fullmatch(path) is not None


def project_files(folder: Path, *, with_timelapse: bool = True) -> Iterator[Path]:
    """Files of `timelapse_runtime/` that are deployed, relative to `folder`, the project's."""
    for path in _files(
        folder / "timelapse_runtime", _NOT_DEPLOYED if with_timelapse else _NOT_DEPLOYED | {"timelapse"}
    ):
        if path.suffix in {".py", ".sh", ".ttf"}:
            yield Path("timelapse_runtime") / path


def _files(folder: Path, without: set[str]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in without:
                yield from (Path(entry.name) / path for path in _files(entry, without))
        elif entry.suffix != ".pyc":
            yield Path(entry.name)
