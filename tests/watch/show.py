"""A camera whose photos carry their number and their time, the page's server, and what a browser shows of the video."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from tests.browser import Browser, evaluate, wait_for
from tests.photos import make_photos, square_size, with_capture_time
from tests.world import STREAM, World
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.site import Site
from timelapse_runtime.watch.streams import Streams

SIZE = (320, 180)
STEP_MS = 7_000
DAY_MS = 24 * 3_600_000


@cache
def photos(count: int) -> Sequence[bytes]:
    """Photos 0 to `count` - 1."""
    return tuple(make_photos(count, SIZE))


class Show:
    """One stream that grows. Its first photo was taken on a morning, so that a day begins only where a test says so;
    photos are uploaded now, so that the page does not take the camera for silent."""

    def __init__(self, count: int = 110, **settings: str) -> None:
        """`count` photos are to come."""
        common = {"ORDER": "arrival", "REEL": "day", "FLUSH_EVERY": "20", "KEYFRAME_INTERVAL": "40"}
        self.world = World({f"TIMELAPSE_{name}": value for name, value in (common | settings).items()})
        now = time.time_ns() // 1_000_000
        self.world.clock.advance(now - count * 1_000 - self.world.clock.now_epoch_ms())
        self.function = self.world.environment()
        self.start_epoch_ms = now // DAY_MS * DAY_MS - 20 * DAY_MS + 6 * 3_600_000
        self.taken: dict[int, int] = {}
        self._next_epoch_ms = self.start_epoch_ms

    @property
    def site(self) -> Site:
        world = self.world
        return Site(Streams(world.video, Location(world.video.bucket, "video/"), lambda _bucket: world.frames))

    def key(self, number: int) -> str:
        return f"IMG_{number:04d}.jpg"

    def shoot(self, numbers: range, pauses: Sequence[int] = ()) -> None:
        """Upload these photos, taken at the usual step or, by turns, so many milliseconds later, and bring all of them
        into the video."""
        for number in numbers:
            self.pause(pauses[number % len(pauses)] if pauses else 0)
            self.taken[number] = self._next_epoch_ms
            self._next_epoch_ms += STEP_MS
            moment = datetime.fromtimestamp(self.taken[number] / 1000, UTC)
            body = with_capture_time(photos(250)[number], moment)
            self.world.deliver(self.function, self.world.upload(number, body, key=self.key(number)))
        self.world.sweep(self.function, drain=True)

    def pause(self, milliseconds: int) -> None:
        """The camera takes no photo for so long."""
        self._next_epoch_ms += milliseconds

    def next_day(self) -> None:
        """The next photo is taken a day after the first of this day."""
        first = self._next_epoch_ms // DAY_MS * DAY_MS
        self._next_epoch_ms = first + DAY_MS + 6 * 3_600_000


def shown(browser: Browser) -> dict[str, Any]:
    """What is on the screen: the number in the picture, the frame and the time that the page says, its state."""
    square = square_size(SIZE[0])
    found: dict[str, Any] = evaluate(
        browser,
        """
        const [square, frame] = [args[0], document.getElementById("frame")];
        const video = document.querySelector("#stage video:last-child");
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
        const context = canvas.getContext("2d");
        context.drawImage(video, 0, 0);
        let number = 0;
        for (let bit = 0; bit < 16; bit += 1) {
          const [red, green] = context.getImageData((bit + 0.5) * square, square / 2, 1, 1).data;
          number = number * 2 + (green > 128 ? 1 : 0);
        }
        return {
          number,
          frame: Number(frame.dataset.frame),
          taken: Date.parse(document.getElementById("capture").dateTime),
          isExact: !document.getElementById("capture").textContent.startsWith("about"),
          state: document.getElementById("state").dataset.state,
        };
        """,
        square,
    )
    return found


def wait_for_frame(browser: Browser, frame: int) -> dict[str, Any]:
    """Wait until the page says that it shows this frame, with its exact time."""
    wait_for(
        browser,
        "document.getElementById('frame').dataset.frame === args[0]"
        " && document.getElementById('capture').textContent.match(/^(?!about)./)"
        " && !document.querySelector('#stage video:last-child').seeking",
        str(frame),
    )
    # The browser may draw the picture a little later than it tells its time.
    before = shown(browser)
    for _ in range(25):
        time.sleep(0.2)
        found = shown(browser)
        if found == before:
            break
        before = found
    return before


def press(browser: Browser, key: str) -> None:
    """A key, where nothing has the focus."""
    evaluate(
        browser, "document.body.dispatchEvent(new KeyboardEvent('keydown', { key: args[0], bubbles: true }));", key
    )


def move_slider(browser: Browser, frame: int) -> None:
    """As a viewer who drags its thumb."""
    evaluate(
        browser,
        "const slider = document.getElementById('slider');"
        "slider.value = args[0]; slider.dispatchEvent(new Event('input'));",
        frame,
    )


def click(browser: Browser, selector: str) -> None:
    """Click on an element."""
    evaluate(browser, "document.querySelector(args[0]).click();", selector)


__all__ = ["DAY_MS", "STREAM", "Show", "click", "move_slider", "press", "shown", "wait_for_frame"]
