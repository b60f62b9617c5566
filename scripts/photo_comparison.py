"""`scripts/compare-photos`: the photo decoder judged by Pillow, on real photos.

Both pictures are reduced to a quarter of their width and height first: a frame of the video has a quarter of the
chroma samples, and here both sides have to make them up, each in its own way.
"""

from __future__ import annotations

import argparse
import io
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from timelapse_runtime.timelapse.errors import FrameRejected
from timelapse_runtime.timelapse.video.decode import DecodedPhoto, PhotoDecoder
from timelapse_runtime.timelapse.video.file_type import file_type

try:
    import pillow_heif
except ImportError:
    print("compare-photos: HEIC is left out, because pillow-heif is not installed", file=sys.stderr)
else:
    pillow_heif.register_heif_opener()

_MAXIMUM_PIXELS = 50_000_000
_LIMIT = 1.5
_ACCURATE = Interpolation.BILINEAR.value | 0x40000 | 0x2000
"""With SWS_ACCURATE_RND and SWS_FULL_CHR_H_INT."""
_REDUCTION = 4
_SMALLEST_SIDE = 100
"""Smaller test images are not photos."""
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """One photo. `difference` is the mean of all pixels and colours, in levels; infinite if the sizes differ."""

    path: Path
    kind: str
    profile: str
    difference: float


def main(arguments: list[str]) -> int:
    """Print the table. 1 if a photo differs by more than 1.5 levels."""
    parser = argparse.ArgumentParser(prog="scripts/compare-photos", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--worst", type=int, default=20, help="how many of the most different to name; default: 20")
    options = parser.parse_args(arguments)
    compared, refused = list[Comparison](), list[tuple[Path, str]]()
    for path in sorted(path for path in options.folder.rglob("*") if path.is_file()):
        judged = _judged(path.read_bytes())
        if judged is None:
            continue
        image, kind, profile = judged
        try:
            ours = _upright(PhotoDecoder(maximum_pixels=_MAXIMUM_PIXELS).decode(path.read_bytes()))
        except FrameRejected as rejection:
            refused.append((path, str(rejection)))
        else:
            compared.append(Comparison(path, kind, profile, _difference(ours, image)))
    _print_table(compared, refused, options.worst)
    return int(any(one.difference > _LIMIT for one in compared))


def _judged(body: bytes) -> tuple[Image.Image, str, str] | None:
    """What Pillow makes of a photo, its file type and its profile; None if Pillow does not take it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            opened = Image.open(io.BytesIO(body))
            if min(opened.size) < _SMALLEST_SIDE or opened.width * opened.height > _MAXIMUM_PIXELS:
                return None
            opened.load()
            icc, gamma = opened.info.get("icc_profile"), opened.info.get("gamma")
            gamma = None if gamma and abs(gamma - 0.45455) < 0.01 else gamma  # sRGB's
            image = _in_srgb(ImageOps.exif_transpose(opened), icc, None if "srgb" in opened.info else gamma)
            return image, _kind(body), _profile_name(icc) if icc or not gamma else "gAMA"
        except Exception:  # noqa: BLE001  # whatever a plugin of Pillow's raises for a damaged file
            return None


def _in_srgb(image: Image.Image, icc: bytes | None, gamma: float | None) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    has_alpha = "A" in image.mode or "transparency" in image.info
    if has_alpha or image.mode not in {"L", "RGB", "CMYK"}:
        image = image.convert("RGBA" if has_alpha else "RGB")
    alpha = image.getchannel("A") if has_alpha else None
    colours = image.convert("RGB") if has_alpha else image
    if icc:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(profile.profile.xcolor_space.strip(), "RGB")
        source = (
            colours if mode == "CMYK" and colours.mode == "CMYK" else colours.convert("L" if mode == "L" else "RGB")
        )
        if source.mode == mode:
            converted = ImageCms.profileToProfile(
                source, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB"
            )
            colours = converted or colours
    colours = colours.convert("RGB")
    if gamma and not icc:
        light = (np.arange(256) / 255) ** (1 / gamma)
        levels = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
        colours = colours.point([round(level) for level in levels] * 3)
    return Image.composite(colours, Image.new("RGB", colours.size), alpha) if alpha else colours


def _kind(body: bytes) -> str:
    kind = file_type(body)
    if kind == "HEIF":
        return "AVIF" if b"avif" in body[8:40] or b"avis" in body[8:40] else "HEIC"
    return kind


def _profile_name(icc: bytes | None) -> str:
    if not icc:
        return "none"
    name = ImageCms.getProfileName(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    known = {"srgb": "sRGB", "p3": "Display P3", "adobe rgb": "Adobe RGB", "prophoto": "ProPhoto", "gray": "grey"}
    return next((label for part, label in known.items() if part in name.lower()), "another")


def _upright(photo: DecodedPhoto) -> Image.Image:
    frame = photo.frame
    limited = frame.color_range == 1 and not frame.format.is_rgb
    rgb = frame.reformat(
        format="rgb24",
        interpolation=_ACCURATE,
        src_colorspace="ITU601",
        src_color_range=1 if limited else 2,
        dst_color_range=2,
    )
    image = Image.fromarray(rgb.to_ndarray())
    return image.transpose(_TURNS[photo.orientation]) if photo.orientation in _TURNS else image


def _difference(one: Image.Image, other: Image.Image) -> float:
    if one.size != other.size:
        return float("inf")
    small = [_array(image.reduce(_REDUCTION)) for image in (one, other)]
    return float(np.abs(small[0] - small[1]).mean())


def _array(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image).astype(np.float64)


def _print_table(compared: list[Comparison], refused: list[tuple[Path, str]], worst: int) -> None:
    groups = defaultdict[tuple[str, str], list[float]](list)
    for one in compared:
        groups[one.kind, one.profile].append(one.difference)
    print("| type | profile | photos | mean | largest | over 1.5 |\n|---|---|---:|---:|---:|---:|")
    for (kind, profile), differences in sorted(groups.items()):
        over = sum(difference > _LIMIT for difference in differences)
        mean, largest = np.mean(differences), max(differences)
        print(f"| {kind} | {profile} | {len(differences)} | {mean:.2f} | {largest:.2f} | {over} |")
    for line in _named(sorted(compared, key=lambda one: -one.difference)[:worst], refused):
        print(line)


def _named(compared: list[Comparison], refused: list[tuple[Path, str]]) -> Iterator[str]:
    yield "\nThe largest differences:"
    yield from (f"{one.difference:8.2f}  {one.kind}  {one.profile}  {one.path}" for one in compared)
    yield f"\nRejected, though Pillow takes them: {len(refused)}"
    yield from (f"{reason}  {path}" for path, reason in refused)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
