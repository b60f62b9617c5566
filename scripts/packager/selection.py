"""Which files of the standard library, of the packages and of the project are deployed.

By exclusion, so that any other stateful function finds what it expects of Python (scipy and scikit-learn import
unittest and pydoc). Left out are tests, headers, type stubs, sources that have a compiled extension beside them,
installers, modules for a terminal or a screen, and the SDK's data for services other than S3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_DISTRIBUTIONS_LEFT_OUT = {"pip", "setuptools"}

_NOT_DEPLOYED = {"__pycache__", "adopt", "cli", "dev", "emulator", "export", "fleet", "watch"}

_LEFT_OUT = _SDK_DATA_LEFT_OUT, _PILLOW_LEFT_OUT, _NUMPY_LEFT_OUT


def stdlib_files(folder: Path) -> Iterator[Path]:
    """Files of the standard library that are deployed, relative to `folder`."""
    for path in _files(folder, _STDLIB_FOLDERS):
        in_configuration = path.parts[0].startswith("config-")  # headers' and linkers' side of Python
        if not in_configuration and not _STDLIB_FILES.fullmatch(path.name):
            yield path


def distributions(folder: Path) -> list[Path]:
    """The `*.dist-info` folders of what is deployed."""
    return [path for path in sorted(folder.glob("*.dist-info")) if _distribution(path) not in _DISTRIBUTIONS_LEFT_OUT]


def package_files(folder: Path) -> Iterator[Path]:
    """Files of the installed packages that are deployed, relative to `folder`."""
    deployed = {path.name for path in distributions(folder)}
    for path in _files(folder, _PACKAGE_FOLDERS):
        first = path.parts[0]
        if first.endswith(".dist-info") and first not in deployed:
            continue
        if _PACKAGE_FILES.fullmatch(path.name) or _NOT_OF_PACKAGES.fullmatch(path.as_posix()):
            continue
        if any(left_out.fullmatch(path.as_posix()) for left_out in _LEFT_OUT):
            continue
        if path.suffix == ".py" and any((folder / path.parent).glob(f"{path.stem}.*.so")):
            continue  # the source that the extension was compiled from
        yield path


def is_of_layer(path: str) -> bool:
    """Whether a file of a package, relative to the folder of packages, is in the layer beside the function's zip, and
    not in the zip: numpy, and what draws text, with which the zip would be too large for a direct upload."""
    return _OF_LAYER.fullmatch(path) is not None


def project_files(folder: Path) -> Iterator[Path]:
    """Files of `timelapse_runtime/` that are deployed, relative to `folder`, the project's."""
    for path in _files(folder / "timelapse_runtime", _NOT_DEPLOYED):
        if path.suffix in {".py", ".sh", ".ttf"}:
            yield Path("timelapse_runtime") / path


def _distribution(dist_info: Path) -> str:
    return dist_info.name.partition("-")[0]


def _files(folder: Path, without: set[str]) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in without:
                yield from (Path(entry.name) / path for path in _files(entry, without))
        elif entry.suffix != ".pyc":
            yield Path(entry.name)
