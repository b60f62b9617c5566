"""The watch page on a video whose frames are shown as their photos were taken: the number in the picture is that of the
frame that the page names, at a seek, at a step and while it plays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import Browser, Chromium, evaluate, go, wait_for
from tests.photos import square_size
from tests.watch.show import STREAM, Show, move_slider, press, wait_for_frame
from timelapse_runtime.watch.server import WatchServer

pytestmark = pytest.mark.timeout(600)

PAUSES_MS = (0, -6_000, 3_000, 20_000, -6_000, 0, 90_000, -5_000, -5_000)
"""Beside the usual step of 7 s. At 60 times the speed two seconds are a frame's time."""
COUNT = 100
SETTINGS = {"SPEED": "60", "HOLD_SECONDS": "2"}


@pytest.fixture(scope="module", params=["60", "86400"], ids=["low delay", "looks ahead"])
def held(request: pytest.FixtureRequest) -> Show:
    show = Show(COUNT, **SETTINGS, FLUSH_AFTER_SECONDS=request.param)
    show.shoot(range(COUNT), PAUSES_MS)
    (reel,) = show.world.reels()
    assert reel.speed == 60
    assert len(reel.segments) > 2
    return show


@pytest.fixture
def page(held: Show, browser: Browser) -> Iterator[Show]:
    """Paused at its last frame, which is the one that was read first."""
    with WatchServer(held.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}/{held.world.reels()[0].name}/{COUNT - 1}")
        wait_for_frame(browser, COUNT - 1)
        yield held
        go(browser, "about:blank")


def check(show: Show, browser: Browser, frame: int) -> None:
    found = wait_for_frame(browser, frame)
    assert (found["number"], found["taken"]) == (frame, show.taken[frame])


def test_a_seek_and_a_step_lead_to_the_very_frame(page: Show, browser: Browser) -> None:
    for frame in (0, 5, 6, 41, 66, 12):
        move_slider(browser, frame)
        check(page, browser, frame)
    for key, frame in ((".", 13), (".", 14), (".", 15), (",", 14)):
        press(browser, key)
        check(page, browser, frame)
    before = seconds(browser)
    press(browser, "ArrowRight")
    wait_for(browser, "Number(document.getElementById('frame').dataset.frame) > 14")
    check(page, browser, evaluate(browser, "return Number(document.getElementById('frame').dataset.frame);"))
    assert 3 <= seconds(browser) - before <= 5.01  # what is on the screen after five seconds may be held by then


def seconds(browser: Browser) -> float:
    """Where the video is."""
    return float(evaluate(browser, "return document.querySelector('#stage video:last-child').currentTime;"))


def test_each_frame_is_named_while_it_plays(page: Show, browser: Browser) -> None:
    move_slider(browser, 0)
    check(page, browser, 0)
    press(browser, "-")
    press(browser, "-")
    seen = evaluate(
        browser,
        """
        const video = document.querySelector("#stage video:last-child");
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
        const context = canvas.getContext("2d", { willReadFrequently: true });
        const seen = [];
        const named = () => Number(document.getElementById("frame").dataset.frame);
        const pause = () => new Promise((resolve) => setTimeout(resolve, 40));
        const drawn = () => {
          context.drawImage(video, 0, 0);
          let number = 0;
          for (let bit = 0; bit < 16; bit += 1) {
            const [, green] = context.getImageData((bit + 0.5) * args[0], args[0] / 2, 1, 1).data;
            number = number * 2 + (green > 128 ? 1 : 0);
          }
          return number;
        };
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
        while (seen.length < 20) {
          await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
          await pause();
          const [before, number] = [named(), drawn()];
          await pause();
          if (named() === before) seen.push([number, before]);
        }
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key: " ", bubbles: true }));
        return seen;
        """,
        square_size(320),
    )
    press(browser, "+")
    press(browser, "+")
    most = 0 if isinstance(browser, Chromium) else 1  # Firefox tells of a frame up to one frame late
    assert max(abs(number - frame) for number, frame in seen) <= most, seen
    assert seen[-1][0] > seen[0][0]
