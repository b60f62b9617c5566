"""The pictures of the day on the watch page, in Chromium and Firefox, served and published."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from typing import Any

from tests.browser import Browser, evaluate, go, resize, wait_for
from tests.watch.show import STREAM, Show, click, press, wait_for_frame
from tests.watch.test_page import Cdn, console_errors
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.publish import publish
from timelapse_runtime.watch.server import WatchServer

ON = "keogram, lighten, digest"
ALT = "document.getElementById('keogram-image').alt"


def column_click(browser: Browser, share: float) -> None:
    """Click on this share of the reel in the keogram."""
    evaluate(
        browser,
        """
        const strip = document.getElementById("keogram");
        const { left, width } = strip.getBoundingClientRect();
        strip.dispatchEvent(new MouseEvent("click", { clientX: left + width * args[0], bubbles: true }));
        """,
        share,
    )


def wait_for_keogram(browser: Browser, frame_count: int) -> None:
    wait_for(browser, f"{ALT}.startsWith(args[0])", f"Keogram of {frame_count} frames")
    wait_for(browser, "document.getElementById('keogram-image').naturalWidth === args[0]", frame_count)


def requests_of_pictures(browser: Browser) -> list[str]:
    found: list[str] = evaluate(
        browser,
        "return performance.getEntriesByType('resource').map(({ name }) => name)"
        ".filter((name) => /[.]png$|digest/.test(name));",
    )
    return found


def test_a_column_leads_to_its_frame_while_the_reel_grows(browser: Browser) -> None:
    show = Show(DAY_PICTURES=ON)
    show.shoot(range(50))
    console_errors(browser)
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        wait_for_frame(browser, 49)
        press(browser, " ")
        wait_for_keogram(browser, 50)
        for frame in (0, 17, 49):
            column_click(browser, (frame + 0.5) / 50)
            assert wait_for_frame(browser, frame)["number"] == frame
        show.shoot(range(50, 90))
        wait_for_keogram(browser, 90)
        column_click(browser, 70.5 / 90)
        assert wait_for_frame(browser, 70)["number"] == 70
        click(browser, "#day-pictures summary")
        wait_for(browser, "document.querySelector('#day-picture-list img')?.naturalWidth === 320")
        assert evaluate(browser, "return document.querySelector('#day-picture-list img').alt;")
        wait_for(browser, "document.querySelector('#day-picture-list video')?.videoWidth === 320")
        resize(browser, 390, 844)
        assert evaluate(browser, "return document.documentElement.scrollWidth <= innerWidth;")
        resize(browser, 1200, 900)
        assert console_errors(browser) == []
        go(browser, "about:blank")


def test_a_reel_without_pictures_is_not_asked_for_them(browser: Browser) -> None:
    show = Show()
    show.shoot(range(50))
    console_errors(browser)
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        wait_for_frame(browser, 49)
        assert evaluate(browser, "return document.getElementById('keogram').hidden;")
        assert evaluate(browser, "return document.getElementById('day-pictures').hidden;")
        assert requests_of_pictures(browser) == []
        assert console_errors(browser) == []
        go(browser, "about:blank")


class CdnWithMetadata(Cdn):
    """Passes the user metadata on, as S3 and CloudFront do."""

    def end_headers(self) -> None:
        key = self.path.partition("?")[0].removeprefix("/")
        if self.store.peek(key) is not None:
            for name, value in self.store.head(key).metadata.items():
                self.send_header(f"x-amz-meta-{name}", value)
        super().end_headers()


def test_a_published_page_shows_those_of_each_day(browser: Browser) -> None:
    show = Show(DAY_PICTURES=ON)
    for first in (0, 30):
        show.shoot(range(first, first + 30))
        show.next_day()
    show.shoot(range(60, 90))
    publish(show.world.video, Location(show.world.video.bucket, "video/"), [STREAM])
    handler: Any = type("Handler", (CdnWithMetadata,), {"store": show.world.video})
    console_errors(browser)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/video/watch/index.html#/{STREAM}/{show.world.reels()[0].name}/3"
        go(browser, url)
        assert wait_for_frame(browser, 3)["number"] == 3
        wait_for_keogram(browser, 30)
        click(browser, "#latest")
        wait_for(browser, "document.getElementById('frame').textContent === 'frame 30 of 30'")
        wait_for_keogram(browser, 30)
        assert {name.rpartition("/reels/")[2] for name in requests_of_pictures(browser)} == {
            f"{reel.name}/keogram.png" for reel in (show.world.reels()[0], show.world.reels()[2])
        }
        assert console_errors(browser) == []
        go(browser, "about:blank")
        server.shutdown()


def test_columns_of_several_frames_and_an_open_last_column_are_told_apart(browser: Browser) -> None:
    """A keogram of 5 frames in columns of two: its third column is of one frame so far."""
    show = Show()
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html")
        found = evaluate(
            browser,
            """
            const { readState } = await import(new URL("day-pictures.js", document.baseURI));
            const chunk = (name, body) => {
              const bytes = new Uint8Array(12 + body.length);
              new DataView(bytes.buffer).setUint32(0, body.length);
              bytes.set(new TextEncoder().encode(name), 4);
              bytes.set(body, 8);
              return bytes;
            };
            const header = new Uint8Array(13);
            new DataView(header.buffer).setUint32(0, 3);
            const text = new TextEncoder().encode('timelapse\\0{"frames": 5, "frames_per_column": 2}');
            const png = new Blob([new Uint8Array(8), chunk("IHDR", header), chunk("tEXt", text)]);
            return readState(await png.arrayBuffer());
            """,
        )
        assert found == {"width": 3, "frames": 5, "framesPerColumn": 2}
        go(browser, "about:blank")
