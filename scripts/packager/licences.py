"""Collects the licence of everything in a package. A part without one fails the build.

- Python packages: the files in their `*.dist-info`.
- The shared libraries in PyAV's wheel, of which the wheel says nothing: `texts/`, from Debian's copyright files of the
  same libraries and of the licences that these refer to (Debian 12, read November 2026).
- CPython: its LICENSE.txt. Libraries of the system: the licence files of the package that owns each.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from scripts.packager.failure import PackageFailed
from scripts.packager.selection import distributions
from scripts.packager.system import System

_FONT = Path("timelapse_runtime", "timelapse", "filters", "font")
_PYAV = "av"
_TEXTS = Path(__file__).with_name("texts")
_IN_PYAVS_WHEEL = {
    r"libav(codec|device|filter|format|util)|libsw(resample|scale)": "ffmpeg",
    "libSvtAv1Enc": "svt-av1",
    "libXau": "libxau",
    "libasound": "alsa-lib",
    "libdav1d": "dav1d",
    "libdrm": "libdrm",
    "libgmp": "gmp",
    "libgnutls": "gnutls",
    "libhogweed|libnettle": "nettle",
    "libmp3lame": "lame",
    "libopencore-amr(nb|wb)": "opencore-amr",
    "libopus": "opus",
    "libsharpyuv|libwebp|libwebpmux": "libwebp",
    "libunistring": "libunistring",
    "libvpl": "libvpl",
    "libvpx": "libvpx",
    "libx264": "x264",
    "libx265": "x265",
    r"libxcb(-\w+)?": "libxcb",
}
_LICENCE_FILES = re.compile(r"(LICEN[CS]E|COPYING|NOTICE|AUTHORS)([._-].*)?(\.(txt|md|rst))?", re.IGNORECASE)
_COMMON_LICENCES = Path("/usr/share/common-licenses")
_ABOUT = """What is in this package, and the licence of each

timelapse-runtime/    the runtime itself: Apache-2.0
cpython/              the interpreter and its standard library: PSF-2.0
packages/             the Python packages of the runtime; others have theirs in their *.dist-info
system/               the C library and other libraries of the system that the package was built on
common-licenses/      texts that those in system/ refer to

Who passes the package on passes these on, too. Running it, also in Lambda for others, is not passing it on.
"""
_ABOUT_MEDIA = """
font/                 DejaVu Sans, with which clock and caption are drawn: Bitstream Vera's licence
pyav-libraries/       the shared libraries in PyAV's wheel. x264 and x265 are GPL-2.0-or-later, FFmpeg is built as
                      version 3 of the LGPL or later: together they may be passed on under version 3 of the GPL
"""


def collect(
    folder: Path, project: Path, system: System, system_files: Iterable[Path], without: Collection[str] = ()
) -> None:
    """Fill `folder`; `system_files` are the bundled files of the system, `without` names the distributions that are not
    in the package. Raises PackageFailed."""
    interpreter = system.interpreter
    has_media = _PYAV not in without
    _write(folder / "README.txt", _ABOUT + (_ABOUT_MEDIA if has_media else ""))
    _write(folder / "timelapse-runtime" / "LICENSE", (project / "LICENSE").read_text())
    _collect_packages(folder / "packages", distributions(interpreter.installed_packages, without))
    if has_media:
        _write(folder / "font" / "LICENSE", (project / _FONT / "LICENSE").read_text())
        _collect_pyav_libraries(folder / "pyav-libraries", interpreter.installed_packages / "av.libs")
    prefix = interpreter.executable.parents[1]
    own_licence = interpreter.stdlib / "LICENSE.txt"
    files = {path.resolve() for path in system_files}
    if own_licence.exists():
        _write(folder / "cpython" / "LICENSE.txt", own_licence.read_text())
        if prefix != Path("/usr"):
            files = {path for path in files if not path.is_relative_to(prefix)}
    else:  # Debian's own Python
        collect_system(folder / "cpython", system, [interpreter.executable.resolve()])
    collect_system(folder / "system", system, files)
    _collect_common(folder, system.root / _COMMON_LICENCES.relative_to("/"))


def collect_system(folder: Path, system: System, files: Iterable[Path]) -> None:
    """Write the licences of the packages that own the files, which are the system's."""
    for name, text in system.licences(files).items():
        _write(folder / f"{name}.txt", text)


def _collect_packages(folder: Path, dist_infos: Iterable[Path]) -> None:
    for dist_info in dist_infos:
        texts = [path for path in sorted(dist_info.rglob("*")) if _LICENCE_FILES.fullmatch(path.name)]
        texts = [path for path in texts if path.is_file() and path.suffix not in {".py", ".pyc"}]
        if not texts:
            raise PackageFailed(f"{dist_info.name} has no licence in it")
        for path in texts:
            name = path.relative_to(dist_info).as_posix().removeprefix("licenses/")
            _write(folder / dist_info.name.removesuffix(".dist-info") / name, path.read_text())


def _collect_pyav_libraries(folder: Path, libraries: Path) -> None:
    index = ["library: text, in this folder; each names the licences below that it goes by", ""]
    for library in sorted(libraries.iterdir()):
        stem = re.sub(r"(-[0-9a-f]{8})?\.so.*", "", library.name)
        text = next((name for pattern, name in _IN_PYAVS_WHEEL.items() if re.fullmatch(pattern, stem)), None)
        if text is None:
            raise PackageFailed(
                f"the licence of {library.name} is not known: add it to {Path(__file__).name} and texts/"
            )
        index.append(f"{library.name}: {text}.txt")
    _write(folder / "INDEX.txt", "\n".join(index) + "\n")
    for path in _TEXTS.glob("*.txt"):
        _write(folder / path.name, path.read_text())


def _collect_common(folder: Path, common: Path) -> None:
    words = re.compile(rf"{_COMMON_LICENCES}/([A-Za-z0-9.+-]*[A-Za-z0-9])")
    named = {
        name
        for part in ("system", "cpython")
        for path in (folder / part).glob("*")
        for name in words.findall(path.read_text())
    }
    for name in sorted(named):
        _write(folder / "common-licenses" / f"{name}.txt", (common / name).read_text())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
