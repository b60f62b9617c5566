"""The watch page in Chromium and Firefox, on a stream that begins empty, grows, changes its day and closes.

The number in the picture is compared with the frame and the time that the page says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.browser import Browser, Chromium, evaluate, go, wait_for
from tests.watch.show import DAY_MS, STREAM, Show, click, move_slider, press, shown, wait_for_frame
from timelapse_runtime.runtime.state.errors import AccessDenied
from timelapse_runtime.runtime.state.memory import MemoryStore
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.files import CONTENT_TYPES
from timelapse_runtime.watch.publish import publish
from timelapse_runtime.watch.server import WatchServer

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def short() -> Show:
    """100 photos with a pause after the first 50, one that cannot be used, and an object that is no photo."""
    show = Show()
    show.shoot(range(50))
    show.pause(120_000)
    show.world.deliver(show.function, show.world.upload(0, b"", key="IMG_0049b.jpg"))
    show.world.deliver(show.function, show.world.upload(0, b"-", key="Thumbs.db"))
    show.shoot(range(50, 100))
    return show


@pytest.fixture
def page(short: Show, browser: Browser) -> Iterator[Show]:
    """The short video is on the screen, paused at its last frame."""
    with WatchServer(short.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        wait_for_frame(browser, 99)
        press(browser, " ")
        yield short
        go(browser, "about:blank")


@pytest.fixture(autouse=True)
def _console(browser: Browser) -> None:
    console_errors(browser)


def console_errors(browser: Browser) -> list[str]:
    """Since the last call; Firefox's are not read."""
    return browser.console_errors() if isinstance(browser, Chromium) else []


def message(browser: Browser) -> str:
    return str(evaluate(browser, "return document.getElementById('message').textContent;"))


def test_a_stream_from_its_beginning_over_a_change_of_day_to_its_end(browser: Browser) -> None:
    show = Show(200)
    with WatchServer(show.site) as server:
        go(browser, server.url)
        wait_for(browser, "document.getElementById('message').textContent.includes('There is no video yet')")
        show.shoot(range(70))
        assert wait_for_frame(browser, 69)["number"] == 69
        for end in (100, 130, 160):
            show.shoot(range(end - 30, end))
            assert wait_for_frame(browser, end - 1) | {"state": ""} == {
                "number": end - 1,
                "frame": end - 1,
                "taken": show.taken[end - 1],
                "isExact": True,
                "state": "",
            }
            assert evaluate(browser, "return document.getElementById('slider').max;") == str(end - 1)
        show.next_day()
        show.shoot(range(160, 200))
        found = wait_for_frame(browser, 39)
        assert (found["number"], found["taken"]) == (199, show.taken[199])
        assert found["taken"] - show.taken[0] > DAY_MS
        wait_for(browser, "document.querySelectorAll('#day-list li').length === 2")
        show.world.sweep(show.function, close=True)
        wait_for(browser, "document.getElementById('state').textContent === 'waiting for new photos'")
        assert message(browser) == ""
        assert console_errors(browser) == []
        go(browser, "about:blank")


def test_what_is_shown_is_right_to_the_frame_at_ten_seeks(page: Show, browser: Browser) -> None:
    for frame in (0, 99, 1, 39, 40, 41, 20, 79, 80, 98):
        move_slider(browser, frame)
        found = wait_for_frame(browser, frame)
        assert (found["number"], found["taken"]) == (frame, page.taken[frame])
    assert console_errors(browser) == []


def test_a_reel_without_an_edit_list_is_right_to_the_frame(browser: Browser) -> None:
    show = Show()
    show.shoot(range(60))
    show.world.upgrade()
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        wait_for_frame(browser, 59)
        press(browser, " ")
        for frame in (0, 59, 39, 40, 21):
            move_slider(browser, frame)
            found = wait_for_frame(browser, frame)
            assert (found["number"], found["taken"]) == (frame, show.taken[frame])
        go(browser, "about:blank")


def test_the_page_knows_the_frames_of_a_reel_by_capture_times(browser: Browser) -> None:
    """From its file as well, whose playlist of ranges does not tell how many frames a segment has."""
    show = Show(SPEED="60", HOLD_SECONDS="1")
    for number in range(30):
        show.shoot(range(number, number + 1))
        show.pause(8_000 if number % 7 else 90_000)
    show.next_day()
    show.shoot(range(30, 40))
    reel, store = show.world.reels()[0], show.world.video
    with WatchServer(show.site) as server:
        for is_from_file in (False, True):
            if is_from_file:
                store.delete([one.key for one in store.list_after(show.world.keys.segments(reel.name))])
            go(browser, "about:blank")
            go(browser, f"{server.url}watch/index.html#/{STREAM}/{reel.name}/20")
            wait_for(browser, "document.getElementById('frame').textContent.endsWith('of 30')")
        go(browser, "about:blank")


@pytest.mark.usefixtures("page")
def test_keys_step_and_skip(browser: Browser) -> None:
    for key, frame in (("Home", 0), (".", 1), (".", 2), (",", 1), ("End", 99), ("ArrowLeft", 0)):
        press(browser, key)
        assert wait_for_frame(browser, frame)["number"] == frame
    press(browser, "+")
    assert evaluate(browser, "return document.querySelector('#stage video:last-child').playbackRate;") == 2
    press(browser, "-")


def test_a_click_leads_to_the_photo_of_the_frame(page: Show, browser: Browser) -> None:
    move_slider(browser, 57)
    wait_for_frame(browser, 57)
    click(browser, "#stage")
    wait_for(browser, "document.querySelector('#photo:not([hidden]) img')?.naturalWidth > 0")
    facts = evaluate(browser, "return document.getElementById('photo-facts').innerText;")
    assert f"s3://{page.world.frames.bucket}/frames/{STREAM}/{page.key(57)}" in facts
    body = evaluate(
        browser,
        "const answer = await fetch(document.querySelector('#photo a').href);"
        "return Array.from(new Uint8Array(await answer.arrayBuffer()));",
    )
    assert bytes(body) == page.world.frames.get(f"frames/{STREAM}/{page.key(57)}").body
    press(browser, "Escape")
    assert evaluate(browser, "return document.getElementById('photo').hidden;")


@pytest.mark.usefixtures("page")
def test_gaps_rejected_photos_and_ignored_objects_are_marked(browser: Browser) -> None:
    for frame in (0, 45, 99):  # each segment's photos are known once it was on the screen
        move_slider(browser, frame)
        wait_for_frame(browser, frame)
    wait_for(
        browser, "document.getElementById('findings-title').textContent === '1 gap, 1 rejected photo, 1 ignored object'"
    )
    items = evaluate(
        browser, "return Array.from(document.querySelectorAll('#finding-list li'), (item) => item.textContent);"
    )
    assert any("no photo for 2 minutes" in item for item in items)
    assert any("IMG_0049b.jpg was rejected (empty)" in item for item in items)
    assert any("1 object was ignored (not a photo's suffix)" in item for item in items)
    marks = evaluate(
        browser,
        "return Array.from(document.querySelectorAll('#marks span'), (mark) => [mark.className, mark.style.left]);",
    )
    assert sorted(kind for kind, _ in marks) == ["gap", "ignored", "rejected"]
    assert all(49 <= float(left.removesuffix("%")) <= 51 for _, left in marks), marks
    click(browser, "#finding-list button")
    assert wait_for_frame(browser, 50)["number"] == 50


def test_latest_goes_to_the_newest_frame_and_plays_what_comes(browser: Browser) -> None:
    show = Show()
    show.shoot(range(60))
    with WatchServer(show.site) as server:
        go(browser, f"{server.url}watch/index.html#/{STREAM}/{show.world.reels()[0].name}/10")
        assert wait_for_frame(browser, 10)["state"] == "paused"
        show.shoot(range(60, 90))
        wait_for(browser, "document.getElementById('slider').max === '89'")
        assert shown(browser)["frame"] == 10
        click(browser, "#latest")
        assert wait_for_frame(browser, 89)["number"] == 89
        show.shoot(range(90, 110))
        assert wait_for_frame(browser, 109)["number"] == 109
        go(browser, "about:blank")


def test_a_silent_camera_is_told(browser: Browser) -> None:
    show = Show()
    show.world.clock.advance(-3_600_000)
    show.shoot(range(30))
    with WatchServer(show.site) as server:
        go(browser, server.url)
        wait_for(browser, "document.getElementById('message').textContent.startsWith('No new photo for')")
        go(browser, "about:blank")


def test_a_refusal_and_a_lost_network_are_told_and_pass(browser: Browser) -> None:
    show = Show()
    show.shoot(range(30))

    def refuse(operation: str, key: str) -> None:
        if key.endswith("video.m3u8"):
            raise AccessDenied(operation, show.world.video.bucket, key, "no")

    with WatchServer(show.site) as server:
        show.world.video.on_request = refuse
        go(browser, f"{server.url}watch/index.html#/{STREAM}")
        wait_for(browser, "document.getElementById('message').textContent.includes('may not read')")
        show.world.video.on_request = lambda _operation, _key: None
        assert wait_for_frame(browser, 29)["number"] == 29
        port = server.server_port
    wait_for(browser, "document.getElementById('message').textContent.startsWith('No connection')")
    with WatchServer(show.site, port):
        wait_for(browser, "document.getElementById('message').textContent === ''")
        go(browser, "about:blank")


def test_several_cameras_are_a_gallery(browser: Browser) -> None:
    show = Show()
    show.shoot(range(30))
    for info in list(show.world.video.list_after(show.world.keys.folder)):  # the same video under another name
        copy = info.key.replace(f"/{STREAM}/", "/a b#c/")
        show.world.video.put(copy, show.world.video.get(info.key).body)
    with WatchServer(show.site) as server:
        go(browser, server.url)
        wait_for(browser, "document.querySelectorAll('#camera-list canvas').length === 2")
        wait_for(
            browser,
            "[...document.querySelectorAll('#camera-list .note')].every((note) => / ago$/.test(note.innerText))",
        )
        names = evaluate(
            browser, "return [...document.querySelectorAll('#camera-list .name')].map((one) => one.innerText);"
        )
        assert names == ["a b#c", STREAM]
        click(browser, "#camera-list a")
        assert wait_for_frame(browser, 29)["number"] == 29
        assert evaluate(browser, "return document.getElementById('place').innerText;") == "a b#c"
        click(browser, "h1 a")
        wait_for(browser, "!document.getElementById('cameras').hidden && document.getElementById('player').hidden")
        assert console_errors(browser) == []
        go(browser, "about:blank")


def test_a_closed_reel_without_segments_is_shown_from_its_file(browser: Browser) -> None:
    show = Show()
    show.shoot(range(60))
    show.next_day()
    show.shoot(range(60, 90))
    reel = show.world.reels()[0]
    show.world.video.delete([info.key for info in show.world.video.list_after(show.world.keys.segments(reel.name))])
    with WatchServer(show.site) as server:
        for frame in (45, 3):
            go(browser, "about:blank")
            go(browser, f"{server.url}watch/index.html#/{STREAM}/{reel.name}/{frame}")
            found = wait_for_frame(browser, frame)
            assert (found["number"], found["taken"]) == (frame, show.taken[frame])
        go(browser, "about:blank")


class Cdn(BaseHTTPRequestHandler):
    """What CloudFront gives of the bucket with the template's policy: objects by key; 403 for all else."""

    protocol_version = "HTTP/1.1"
    store: MemoryStore

    def do_GET(self) -> None:
        key = unquote(self.path.partition("?")[0]).removeprefix("/")
        body = None if key.endswith("checkpoint.json") or "/rejected/" in key else self.store.peek(key)
        self.send_response(403 if body is None else 200)
        self.send_header("Content-Type", CONTENT_TYPES.get(Path(key).suffix, "text/plain"))
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        pass


def test_a_published_page_shows_all_days_without_a_right_to_list(browser: Browser) -> None:
    show = Show()
    for first in (0, 30, 60):
        show.shoot(range(first, first + 30))
        show.next_day()
    publish(show.world.video, Location(show.world.video.bucket, "video/"), [STREAM])
    handler = type("Handler", (Cdn,), {"store": show.world.video})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        go(browser, f"http://127.0.0.1:{server.server_port}/video/watch/index.html")
        found = wait_for_frame(browser, 29)
        assert (found["number"], found["taken"]) == (89, show.taken[89])
        wait_for(browser, "document.querySelectorAll('#day-list li').length === 3")
        names = [reel.name for reel in show.world.reels()]
        listed = evaluate(
            browser, "return Array.from(document.querySelectorAll('#day-list li'), (item) => item.dataset.reel);"
        )
        assert listed == names[::-1]
        click(browser, f"li[data-reel='{names[0]}'] a")
        wait_for(browser, "document.querySelector('[aria-current]').parentNode.dataset.reel === args[0]", names[0])
        press(browser, " ")
        move_slider(browser, 7)
        assert wait_for_frame(browser, 7)["number"] == 7
        click(browser, "#show-photo")
        wait_for(browser, "document.getElementById('photo-facts').dataset.key === args[0]", show.key(7))
        assert console_errors(browser) == []
        go(browser, "about:blank")
        server.shutdown()
