"""Players that go from an adopted video to the photos after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.adopt.files import X264, adopt_into, ffmpeg
from tests.browser import Browser, Chromium, evaluate, go, wait_for
from tests.photos import square_size
from tests.watch.show import SIZE, STREAM, Show, photos, press, wait_for_frame
from timelapse_runtime.watch.server import WatchServer

pytestmark = pytest.mark.timeout(300)

_COUNT = 60
_PLAY = """
    const { default: Hls } = await import("./hls-1.7.4.light.min.mjs");
    const video = document.createElement("video"), hls = new Hls(), found = [], square = args[1];
    video.muted = true;
    document.body.append(video);
    const canvas = document.createElement("canvas"), context = canvas.getContext("2d", { willReadFrequently: true });
    function look() {
      [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
      context.drawImage(video, 0, 0);
      let number = 0;
      for (let bit = 0; bit < 16; bit += 1)
        number = number * 2 + (context.getImageData((bit + 0.5) * square, square / 2, 1, 1).data[1] > 128 ? 1 : 0);
      found.push(number);
      video.requestVideoFrameCallback(look);
    }
    const ended = new Promise((done, failed) => {
      const timer = setInterval(() => found.at(-1) >= args[2] && done(clearInterval(timer)), 50);
      hls.on(Hls.Events.ERROR, (_, data) => data.fatal && failed(new Error(data.details)));
    });
    hls.loadSource(args[0]);
    hls.attachMedia(video);
    video.requestVideoFrameCallback(look);
    await video.play();
    await ended;
    hls.destroy();
    return found;
"""


def old_video(folder: Path) -> Path:
    """A video of the show's first pictures, each with its number, as another tool would have made it."""
    for number, body in enumerate(photos(250)[:_COUNT]):
        (folder / f"{number:04d}.jpg").write_bytes(body)
    ffmpeg("-framerate", "30", "-i", folder / "%04d.jpg", *X264, "-crf", "18", folder / "old.mp4")
    return folder / "old.mp4"


def test_chromium_plays_from_the_adopted_video_to_the_photos(tmp_path: Path) -> None:
    show = Show()
    began = datetime.fromtimestamp(show.start_epoch_ms / 1000, UTC) - timedelta(days=1)
    adopted = adopt_into(show.world, old_video(tmp_path), began=began.isoformat(), TIMELAPSE_ORDER="arrival")
    assert adopted.reel.date == began.date().isoformat()
    with Chromium(tmp_path / "profile") as browser, WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        assert wait_for_frame(browser, _COUNT - 1)["number"] == _COUNT - 1
        assert_is_named(browser, f"old.mp4#{_COUNT - 1}")
        show.shoot(range(_COUNT, 100))
        show.world.sweep(show.function, close=True)
        go(browser, "about:blank")
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        assert wait_for_frame(browser, 39)["number"] == 99
        notes = "Array.from(document.querySelectorAll('#day-list .note'), (note) => note.textContent)"
        wait_for(browser, f"{notes}.every((note) => !/frames, /.test(note))")
        assert evaluate(browser, f"return {notes};") == [
            "40 photos, 1 second",
            f"{_COUNT} frames adopted from old.mp4, 2 seconds",
        ]
        for playlist in ("week.m3u8", "live.m3u8"):
            found = evaluate(browser, _PLAY, f"{server.url}{STREAM}/{playlist}", square_size(SIZE[0]), 96)
            assert found == sorted(found)
            assert {*found} & {*range(_COUNT - 8, _COUNT)}, playlist
            assert {*found} & {*range(_COUNT, _COUNT + 8)}, playlist
        go(browser, "about:blank")


def assert_is_named(browser: Browser, name: str) -> None:
    """The page says where an adopted frame is from, and offers no photo."""
    press(browser, "p")
    wait_for(browser, "document.getElementById('photo-facts').dataset.key === args[0]", name)
    facts = evaluate(browser, "return document.getElementById('photo-facts').innerText;")
    assert "of a video that was adopted" in facts
    assert "Uploaded" not in facts
    assert evaluate(browser, "return document.getElementById('photo-link').childElementCount;") == 0
    press(browser, "Escape")
