"""What counts as a photo: a rule over an object's name, so that nothing else is ever read. Pure.

Keys are relative to the stream's prefix here; the stream's own name does not count. Case never matters. The default
rule takes the suffixes of pictures. It leaves out what copying tools, servers and viewers put beside photos: hidden
and system folders, files that are still being uploaded, thumbnails, sidecars and folder markers. If in doubt, a name is
a photo: a stray picture costs one frame, an ignored one is missing in the video. So `thumb` and `tmp` count only as
words of their own, at the place where programs put them.

A name without a suffix is a photo: there are cameras that upload `snapshot`, or a time stamp. Its content decides.

Sources: the manuals of rsync, rclone, WinSCP, lftp and ProFTPD ('HiddenStores') on the names of unfinished uploads; the
folders that immich-go 0.20 and Resilio Sync leave out of a folder of photos; the suffix `.th.jpg` of
RPi_Cam_Web_Interface. Read November 2026.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass

PHOTO_SUFFIXES = frozenset(
    {
        *("jpg", "jpeg", "jpe", "jfif", "jfi", "jif", "mpo"),
        *("png", "apng", "webp", "avif", "heic", "heif", "hif"),
        *("tif", "tiff", "bmp", "dib", "gif"),
    }
)
"""Lower-case suffixes, without the dot, of the formats that are photos by default."""

FOLDER, HIDDEN, TEMPORARY = "folder marker", "hidden", "temporary"
THUMBNAIL, OTHER_TYPE, EXCLUDED = "thumbnail", "not a photo's suffix", "excluded"
"""Why an object is ignored. EXCLUDED: by a pattern, or because there are patterns and none includes it."""

_SYSTEM_FOLDERS = frozenset(
    {
        *("@eadir", "@recycle", "@sharebin", "@synoresource", "@tmp", "#recycle", "#snapshot"),  # Synology, QNAP
        *("__macosx", "$recycle.bin", "recycler", "system volume information", "lost+found"),
    }
)
_TEMPORARY_FOLDERS = frozenset({"tmp", "temp", "_tmp", "_temp", "_temporary"})
_THUMBNAIL_FOLDERS = frozenset(
    {"thumb", "thumbs", "thumbnail", "thumbnails", "_thumb", "_thumbs", "_thumbnails", "@__thumb"}
)
_TEMPORARY_SUFFIXES = frozenset(
    {"tmp", "temp", "part", "partial", "filepart", "incomplete", "uploading", "crdownload", "swp", "_copying_"}
)
_TEMPORARY_STEM = re.compile(
    r"tmp | temp | ~.* | .*~ | tmp[._-].* | .*[._-]tmp | .*\.(temp|part|partial|filepart|incomplete|uploading)",
    re.VERBOSE | re.DOTALL,
)
_THUMBNAIL_STEM = re.compile(
    r".+[._-](thumb|thumbs|thumbnail) | .+\.th | syno(file|photo)_thumb.*", re.VERBOSE | re.DOTALL
)
_SUFFIXES_WITH_A_DIGIT_FIRST = frozenset({"3fr", "3g2", "3gp", "3gpp", "7z"})
_TEXTS_WITHOUT_SUFFIX = frozenset(
    {
        *("readme", "license", "licence", "copying", "changelog", "notice", "authors", "install", "todo"),
        *("version", "manifest", "makefile", "dockerfile", "lock"),
    }
)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One item of the list. It is compared with the whole key if `is_path`, with each folder's name if `is_folder`,
    else with the file's name."""

    includes: bool
    pattern: re.Pattern[str]
    is_path: bool = False
    is_folder: bool = False

    def matches(self, folders: list[str], name: str) -> bool:
        texts = folders if self.is_folder else ["/".join([*folders, name])] if self.is_path else [name]
        return any(map(self.pattern.fullmatch, texts))


@dataclass(frozen=True, slots=True)
class PhotoFilter:
    """Decides for each key; of the rules that match it, the last one counts. None is the default rule."""

    rules: tuple[_Pattern | None, ...] = (None,)

    def why_ignored(self, key: str) -> str | None:
        """Why the object is not a photo (one of the constants above), or None if it is one."""
        if not key or key.endswith(("/", "_$folder$")):  # the last: Hadoop's
            return FOLDER
        *folders, name = key.casefold().split("/")
        reason: str | None = EXCLUDED
        for rule in self.rules:
            if rule is None:
                reason = reason and _why_no_photo(folders, name.strip())
            elif rule.matches(folders, name):
                reason = None if rule.includes else EXCLUDED
        return reason

    def takes(self, key: str) -> bool:
        """Whether the object is a photo."""
        return self.why_ignored(key) is None


DEFAULT_FILTER = PhotoFilter()


def parse_photo_filter(text: str) -> PhotoFilter:
    """A list of patterns, separated by commas; `!` excludes; `photos` is the default rule. Raises ValueError.

    A pattern has `*`, `?` and `[…]` as in a shell. Without a slash it is compared with the file's name, in any folder.
    With a slash elsewhere it is compared with the whole key, and `*` takes slashes as well. With a slash at its end it
    means all that lies in folders of that name, or in the folder at that path. A list that begins with an exclusion
    takes the default rule first.
    """
    rules = [_parse_rule(item.strip()) for item in text.split(",")]
    begins_with_exclusion = rules[0] is not None and not rules[0].includes
    return PhotoFilter((None, *rules) if begins_with_exclusion else tuple(rules))


def _parse_rule(item: str) -> _Pattern | None:
    text = item.removeprefix("!").strip().casefold()
    if item.casefold() == "photos":
        return None
    name = text.removesuffix("/")
    if not name or name == "photos" == text or name.startswith(("!", "/")) or not text.isprintable():
        raise ValueError(item)
    is_path, is_folder = "/" in name, text.endswith("/")
    pattern = _compile(f"{name}/*" if is_path and is_folder else name)
    return _Pattern(not item.startswith("!"), pattern, is_path, is_folder and not is_path)


def _compile(pattern: str) -> re.Pattern[str]:
    if "[" in re.sub(r"\[!?\]?[^\]]*\]", "", pattern):
        raise ValueError(pattern)  # fnmatch takes an open bracket for itself, which is never what was meant
    return re.compile(fnmatch.translate(pattern))


def is_hidden_folder(name: str) -> bool:
    """Whether a folder is the system's: `.trash`, `@eaDir`, `lost+found`. Such a folder is not a stream. `.` belongs to
    a path."""
    return (name.startswith(".") and name.strip(".") != "") or name.casefold() in _SYSTEM_FOLDERS


def _why_no_photo(folders: list[str], name: str) -> str | None:
    """The default rule, for names in lower case."""
    if name.startswith(".") or any(map(is_hidden_folder, folders)):
        return HIDDEN
    stem, suffix = _split_suffix(name)
    is_picture = suffix in PHOTO_SUFFIXES
    is_cut = suffix in _TEMPORARY_SUFFIXES or (not is_picture and suffix.rstrip("_~") in PHOTO_SUFFIXES)
    if is_cut or _TEMPORARY_STEM.fullmatch(stem) or not _TEMPORARY_FOLDERS.isdisjoint(folders):
        return TEMPORARY
    if not is_picture and (suffix or stem.startswith("_") or stem in _TEXTS_WITHOUT_SUFFIX):
        return OTHER_TYPE
    if _THUMBNAIL_STEM.fullmatch(stem) or not _THUMBNAIL_FOLDERS.isdisjoint(folders):
        return THUMBNAIL
    return None


def _split_suffix(name: str) -> tuple[str, str]:
    """The name in two. The suffix is empty if what follows the last dot is part of the name: a number (`snapshot.1`),
    a time (`12.00.05Z`), an address (`192.168.0.20_0001`), or text with spaces. A URL's query is not part of it."""
    stem, _, suffix = name.partition("?")[0].rpartition(".")
    if stem and suffix in PHOTO_SUFFIXES:
        return stem, suffix
    stem, _, suffix = name.rpartition(".")
    if not stem or not suffix or " " in suffix:
        return name, ""
    if suffix[0].isdecimal() and suffix not in _SUFFIXES_WITH_A_DIGIT_FIRST:
        is_random = not suffix.isdecimal() and stem.rpartition(".")[2] in PHOTO_SUFFIXES  # 0001.jpg.6eF5b5da
        return (stem, suffix) if is_random else (name, "")
    return stem, suffix
