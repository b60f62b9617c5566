"""The picture under the pointer, in Chromium and Firefox: it is that of the place, and costs few bytes."""

from __future__ import annotations

from typing import Any

from tests.browser import Browser, evaluate, go, wait_for
from tests.photos import square_size
from tests.watch.show import SIZE, STREAM, Show, move_slider, wait_for_frame
from timelapse_runtime.watch.server import WatchServer


def hover(browser: Browser, frame: int) -> None:
    """Move the pointer to this frame's place on the bar."""
    evaluate(
        browser,
        """
        performance.clearResourceTimings();
        const [bar, slider] = ["bar", "slider"].map((id) => document.getElementById(id));
        const { left, width } = slider.getBoundingClientRect();
        const clientX = left + 9 + (width - 18) * args[0] / Number(slider.max);
        bar.dispatchEvent(new PointerEvent("pointermove", { clientX }));
        """,
        frame,
    )


def preview(browser: Browser) -> dict[str, Any]:
    """What is shown under the pointer: the number in the picture, what drew it, and the segments' bytes that were read
    since the pointer came."""
    found: dict[str, Any] = evaluate(
        browser,
        """
        const square = args[0];
        const shown = document.querySelector("#preview-picture > :not([hidden])");
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = args.slice(1);
        const context = canvas.getContext("2d");
        context.drawImage(shown, 0, 0, canvas.width, canvas.height);
        let number = 0;
        for (let bit = 0; bit < 16; bit += 1) {
          const [red, green] = context.getImageData((bit + 0.5) * square, square / 2, 1, 1).data;
          number = number * 2 + (green > 128 ? 1 : 0);
        }
        const read = performance.getEntriesByType("resource").filter((one) => one.name.includes("/segments/"));
        return { number, kind: shown.localName, bytes: read.reduce((sum, one) => sum + one.transferSize, 0) };
        """,
        square_size(SIZE[0]),
        *SIZE,
    )
    return found


def wait_for_preview(browser: Browser, number: int) -> dict[str, Any]:
    """Wait until the picture has this number, for ten seconds at most."""
    for _ in range(100):
        found = preview(browser)
        if found["number"] == number:
            break
        evaluate(browser, "await new Promise((done) => setTimeout(done, 100));")
    return found


def test_a_segment_that_was_not_played_shows_its_first_frame_from_its_head(browser: Browser) -> None:
    show = Show(300, KEYFRAME_INTERVAL="60", FLUSH_EVERY="30")
    show.shoot(range(240))
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}/{show.world.reels()[0].name}/230")
        wait_for_frame(browser, 230)
        wait_for(browser, "document.querySelector('#day-list canvas')?.width === 320")
        (size_bytes, *_) = [segment.size_bytes for segment in show.world.reels()[0].segments]
        for frame, first in ((75, 60), (150, 120), (20, 0)):
            hover(browser, frame)
            found = wait_for_preview(browser, first)
            assert (found["number"], found["kind"]) == (first, "canvas")
            assert found["bytes"] <= 32_768 + 1_000 < size_bytes
        hover(browser, 200)
        found = wait_for_preview(browser, 200)  # this segment was played: no bytes are needed for the frame itself
        assert (found["number"], found["kind"]) == (200, "video")
        move_slider(browser, 75)
        wait_for_frame(browser, 75)
        hover(browser, 77)
        found = wait_for_preview(browser, 77)
        assert (found["number"], found["kind"]) == (77, "video")
        go(browser, "about:blank")
