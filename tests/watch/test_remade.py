"""The watch page on a reel that was made again: its frames are those of the edition that is shown."""

from __future__ import annotations

from tests.browser import Browser, evaluate, go, wait_for
from tests.recovery.remade import remaking_of
from tests.watch.show import STREAM, Show, move_slider, press, wait_for_frame
from timelapse_runtime.watch.server import WatchServer


def take_out(show: Show, number: int) -> None:
    """`timelapse remove` of a photo; its reel is closed."""
    remaking_of(show.world, lambda: None).remove([show.key(number)])


def test_a_reel_without_a_photo_that_was_removed_leads_to_the_next_one(browser: Browser) -> None:
    show = Show()
    show.shoot(range(50))
    show.next_day()
    show.shoot(range(50, 80))
    first, second = show.world.reels()
    take_out(show, 12)
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}/{first.name}/12")
        found = wait_for_frame(browser, 12)
        assert (found["number"], found["taken"]) == (13, show.taken[13])
        assert evaluate(browser, "return document.getElementById('slider').max;") == "48"
        move_slider(browser, 48)
        assert wait_for_frame(browser, 48)["number"] == 49
        press(browser, " ")
        assert wait_for_frame(browser, 29)["number"] == 79
        marked = "document.querySelector('[aria-current]').parentNode.dataset.reel"
        assert evaluate(browser, f"return {marked};") == second.name
        go(browser, "about:blank")


def test_a_reel_that_is_made_again_while_it_is_shown_is_shown_again(browser: Browser) -> None:
    show = Show()
    show.shoot(range(50))
    show.world.sweep(show.function, close=True)
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}/{show.world.reels()[0].name}/30")
        assert wait_for_frame(browser, 30)["number"] == 30
        take_out(show, 12)
        wait_for(browser, "document.getElementById('slider').max === '48'")
        move_slider(browser, 20)
        found = wait_for_frame(browser, 20)
        assert (found["number"], found["taken"]) == (21, show.taken[21])
        go(browser, "about:blank")
