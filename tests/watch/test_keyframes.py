"""The first picture of a segment, read by the page's own code in Chromium and Firefox, for each codec of a reel."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import timelapse_runtime.watch
from tests.browser import Browser, evaluate, go
from tests.photos import make_photos, square_size
from tests.timelapse.video.segments import SIZE, settings, write
from timelapse_runtime.timelapse.video.codec_name import codec_name
from timelapse_runtime.timelapse.video.decode import PhotoDecoder
from timelapse_runtime.timelapse.video.fit import PictureFitter

PAGE = Path(timelapse_runtime.watch.__file__).parent / "page"
NUMBER = 1234


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    """The address of the page's files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=PAGE)) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def written(codec: str) -> tuple[bytes, bytes]:
    """The init segment and the segment of a few photos."""
    decoder, fitter = PhotoDecoder(maximum_pixels=10**8), PictureFitter(*SIZE)
    pictures = [fitter.fit(decoder.decode(body)) for body in make_photos(3, SIZE, first=NUMBER)]
    ((_, _, init, segment),) = write(pictures, settings(codec=codec), cut_every=50)
    return init, segment


@pytest.mark.parametrize("codec", ["h264", "h265", "av1"])
def test_the_codec_has_its_name(browser: Browser, page: str, codec: str) -> None:
    """That of the playlists; of AV1, without the colours."""
    init, _ = written(codec)
    go(browser, f"{page}watch.css")
    script = """
        const { decoderConfig } = await import(args[0]);
        const init = Uint8Array.from(atob(args[1]), (one) => one.charCodeAt(0));
        return decoderConfig(init.buffer).codec;
    """
    name = evaluate(browser, script, f"{page}keyframe.js", base64.b64encode(init).decode())
    expected = codec_name(init)
    assert name.upper() == (expected[:13] if codec == "av1" else expected).upper()


@pytest.mark.parametrize("codec", ["h264", "av1"])
def test_the_first_picture_is_decoded(browser: Browser, page: str, codec: str) -> None:
    """Neither browser decodes H.265 without the device's decoder."""
    init, segment = written(codec)
    go(browser, f"{page}watch.css")
    found = evaluate(
        browser,
        """
        const { readKeyframe } = await import(args[0]);
        const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
        const url = URL.createObjectURL(new Blob([bytes(args[2])]));
        const { picture } = await readKeyframe(bytes(args[1]).buffer, { url });
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [picture.displayWidth, picture.displayHeight];
        const context = canvas.getContext("2d");
        context.drawImage(picture, 0, 0);
        picture.close();
        let number = 0;
        for (let bit = 0; bit < 16; bit += 1) {
          const [red, green] = context.getImageData((bit + 0.5) * args[3], args[3] / 2, 1, 1).data;
          number = number * 2 + (green > 128 ? 1 : 0);
        }
        return [number, canvas.width, canvas.height];
        """,
        f"{page}keyframe.js",
        *(base64.b64encode(part).decode() for part in (init, segment)),
        square_size(SIZE[0]),
    )
    assert found == [NUMBER, *SIZE]
