"""Makes the picture of skipped photos in docs/overlays.md: `python -m tests.timelapse.filters.skip_figure FILE`.

Above are the photos of a stream that has each rule on, those that were left out in a frame with their reason; below are
the frames of its video, which ffmpeg decodes.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

from tests.photos import with_capture_time
from tests.programs import require_program
from tests.world import World
from timelapse_runtime.emulator.scene import render_scene

SIZE = 320, 180
COLUMNS, GAP, LABEL = 6, 4, 16
SETTINGS = {
    "TIMELAPSE_ORDER": "arrival",
    "TIMELAPSE_SKIP": "dark, bright, blurred, frozen, night",
    "TIMELAPSE_PLACE": "52.52,13.405",
    "TIMELAPSE_TIMEZONE": "Europe/Berlin",
    "TIMELAPSE_SIZE": "320x180",
}
NOON, NIGHT = datetime(2026, 7, 25, 12, tzinfo=UTC), datetime(2026, 7, 25, 23, 30, tzinfo=UTC)
RED, BLACK = (200, 20, 20), (0, 0, 0)


def photos() -> list[bytes]:
    """Twelve, five of which a rule leaves out: a lens cap, the sun in the lens, one out of focus, one sent twice, a
    night."""
    scene = list(render_scene(60, SIZE, only=[*range(24, 35), 58]))
    found = [with_capture_time(body, NOON.replace(minute=place)) for place, body in enumerate(scene[:-1])]
    found[2] = with_capture_time(_jpeg(Image.new("RGB", SIZE, (6, 6, 8))), NOON.replace(minute=2))
    found[4] = with_capture_time(_jpeg(Image.new("RGB", SIZE, (252, 250, 246))), NOON.replace(minute=4))
    blurred = Image.open(io.BytesIO(scene[6])).filter(ImageFilter.GaussianBlur(6))
    found[6] = with_capture_time(_jpeg(blurred), NOON.replace(minute=6))
    found[8] = with_capture_time(scene[7], NOON.replace(minute=8))
    return [*found, with_capture_time(scene[-1], NIGHT)]


def _jpeg(image: Image.Image) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=90)
    return sink.getvalue()


def frames_of(video: bytes) -> list[Image.Image]:
    """The frames of a video, decoded by ffmpeg."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        path.write_bytes(video)
        command = [require_program("ffmpeg"), "-v", "error", "-i", str(path), "-fps_mode", "passthrough"]
        subprocess.run([*command, f"{folder}/%03d.png"], check=True)
        return [Image.open(frame).convert("RGB") for frame in sorted(Path(folder).glob("*.png"))]


def sheet(rows: Sequence[tuple[str, Sequence[tuple[Image.Image, str]]]]) -> Image.Image:
    """Pictures under headings, six in a row; one with a label was left out."""
    cell = SIZE[0] // 2 + GAP, SIZE[1] // 2 + GAP
    lines = [(title, found[at : at + COLUMNS]) for title, found in rows for at in range(0, len(found), COLUMNS)]
    titles = len(rows)
    image = Image.new("RGB", (COLUMNS * cell[0] + GAP, len(lines) * cell[1] + titles * LABEL + GAP), (255, 255, 255))
    draw, font, top, shown = ImageDraw.Draw(image), ImageFont.load_default(12), 0, ""
    for title, pictures in lines:
        if title != shown:
            draw.text((GAP, top + 1), title, BLACK, font)
            top, shown = top + LABEL, title
        for column, (picture, label) in enumerate(pictures):
            left, width, height = GAP + column * cell[0], SIZE[0] // 2, SIZE[1] // 2
            image.paste(picture.resize((width, height), Image.Resampling.LANCZOS), (left, top))
            if label:
                draw.rectangle((left, top, left + width - 1, top + height - 1), outline=RED, width=3)
                draw.rectangle((left, top + height - LABEL, left + width - 1, top + height - 1), fill=RED)
                draw.text((left + GAP, top + height - LABEL), label, (255, 255, 255), font)
        top += cell[1]
    return image


def main() -> None:
    """Make the video and the picture of it."""
    world = World(dict(SETTINGS))
    function, uploaded = world.environment(), photos()
    for number, body in enumerate(uploaded):
        world.deliver(function, world.upload(number, body))
    world.sweep(function, drain=True)
    reasons = world.rejections()
    above = [
        (Image.open(io.BytesIO(body)).convert("RGB"), reasons.get(world.key(number), ""))
        for number, body in enumerate(uploaded)
    ]
    below = [(frame, "") for frame in frames_of(world.video_bytes())]
    titles = f"{len(above)} photos", f"the video: {len(below)} frames"
    sheet([(titles[0], above), (titles[1], below)]).save(sys.argv[1], quality=70)
    print(f"{sys.argv[1]}: {len(above)} photos, {len(below)} frames, left out: {sorted(reasons.values())}")


if __name__ == "__main__":
    main()
