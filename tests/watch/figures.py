"""Figures of docs/watch.md, and what axe-core says of the page: `python -m tests.watch.figures [AXE.MIN.JS] [--shots
FOLDER]`.

A stream of 320x180 begins empty, grows by four flushes, changes its day and closes, while the page plays it. For each
browser: the longest time between two frames while there was video to show. With a path to axe-core's `axe.min.js`, the
page is checked at two sizes, light and dark, with and without the photo. Exit code 1 if axe finds a violation.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.browser import Browser, Chromium, Firefox, evaluate, go, resize, screenshot, wait_for
from tests.watch.show import STREAM, Show, click, wait_for_frame
from timelapse_runtime.watch.server import WatchServer

SIZES = {"desktop": (1_200, 1_150), "phone": (390, 1_100)}

_WATCH_FRAMES = """
const seen = window.seenFrames = { gaps: [], count: 0 };
let last = null;
const look = () => {
  const [frame, newest] = [document.getElementById("frame").dataset.frame, document.getElementById("slider").max];
  const now = performance.now();
  if (frame !== undefined && (!last || frame !== last.frame)) {
    seen.count += 1;
    if (last) seen.gaps.push(now - last.now);
    last = { frame, now };
  } else if (last && frame === newest) last.now = now; // there is nothing more to show
  requestAnimationFrame(look);
};
look();
"""
"""Notes each time from a frame to the next one, or from when that could be played."""


def main() -> int:
    """Print the figures. The exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("axe", nargs="?", type=Path, help="axe-core's axe.min.js")
    parser.add_argument("--shots", type=Path, help="a folder for a picture of each state")
    options = parser.parse_args()
    violations = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in (Chromium, Firefox):
            with kind(Path(folder)) as browser:
                print(kind.__name__, play(browser), flush=True)
                if options.axe is not None or options.shots is not None:
                    for what, found in looks(browser, kind.__name__, options.axe, options.shots):
                        violations += len(found)
                        print(kind.__name__, what, "axe:", ", ".join(found) or "no violation", flush=True)
    return 1 if violations else 0


def play(browser: Browser) -> dict[str, Any]:
    """Play a stream's life, and say what was seen."""
    show = Show(200)
    with WatchServer(show.site) as server:
        go(browser, server.url)
        evaluate(browser, _WATCH_FRAMES)
        for end in (70, 100, 130):
            show.shoot(range(0 if end == 70 else end - 30, end))
            wait_for_frame(browser, end - 1)
        growing = longest(browser)
        show.next_day()
        show.shoot(range(130, 170))
        wait_for_frame(browser, 39)
        show.world.sweep(show.function, close=True)
        found = {"longest_gap_s": growing, "at_change_of_day_s": longest(browser), "frames_seen_of_170": seen(browser)}
        go(browser, "about:blank")
    return found


def longest(browser: Browser) -> float:
    """Seconds; the list begins again."""
    milliseconds = evaluate(browser, "const gaps = window.seenFrames.gaps.splice(0); return Math.max(0, ...gaps);")
    return round(float(milliseconds) / 1_000, 2)


def seen(browser: Browser) -> int:
    """How many different frames the page has said that it shows."""
    return int(evaluate(browser, "return window.seenFrames.count;"))


def looks(browser: Browser, name: str, axe: Path | None, shots: Path | None) -> Iterator[tuple[str, list[str]]]:
    """Each state of the page, and the rules of axe that it breaks."""
    show = Show()
    show.shoot(range(50))
    show.pause(120_000)
    show.world.deliver(show.function, show.world.upload(0, b"", key="IMG_0049b.jpg"))
    show.world.deliver(show.function, show.world.upload(0, b"-", key="notes.txt"))
    show.shoot(range(50, 80))
    show.next_day()
    show.shoot(range(80, 110))
    first = show.world.reels()[0].name
    with WatchServer(show.site) as server:
        schemes = ("light", "dark") if isinstance(browser, Chromium) else ("light",)
        for (size, pixels), scheme in itertools.product(SIZES.items(), schemes):
            resize(browser, *pixels)
            with in_scheme(browser, scheme):
                go(browser, "about:blank")
                go(browser, f"{server.url}watch/index.html#/{STREAM}/{first}/60")
                wait_for_frame(browser, 60)
                wait_for(
                    browser, "[...document.querySelectorAll('#day-list canvas')].every((one) => one.width === 320)"
                )
                evaluate(browser, "document.getElementById('findings').open = true;")
                for state in ("video", "photo"):
                    if state == "photo":
                        click(browser, "#show-photo")
                        wait_for(browser, "document.querySelector('#photo img')?.naturalWidth > 0")
                        evaluate(browser, "scrollTo(0, 0);")
                    if shots is not None:
                        screenshot(browser, shots / f"{name}-{size}-{scheme}-{state}.png".lower())
                    yield f"{size}, {scheme}, {state}", violated(browser, axe)
        go(browser, "about:blank")


@contextmanager
def in_scheme(browser: Browser, scheme: str) -> Iterator[None]:
    """Chromium shows the page in these colours; Firefox has no such command, and its own are light."""
    if isinstance(browser, Chromium):
        browser.command("Emulate", cmd="Emulation.setEmulatedMedia", params=_media(scheme))
    yield
    if isinstance(browser, Chromium):
        browser.command("Emulate", cmd="Emulation.setEmulatedMedia", params=_media(""))


def _media(scheme: str) -> dict[str, Any]:
    return {"features": [{"name": "prefers-color-scheme", "value": scheme}]}


def violated(browser: Browser, axe: Path | None) -> list[str]:
    """The rules that the page breaks, each with its first element."""
    if axe is None:
        return []
    found: list[str] = evaluate(
        browser,
        f"{axe.read_text()}\nconst found = await window.axe.run(document);"
        "return found.violations.map(({ id, impact, nodes }) => `${id} (${impact}) at ${nodes[0].target}`);",
    )
    return found


if __name__ == "__main__":
    raise SystemExit(main())
