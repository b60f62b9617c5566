"""`timelapse watch`: the page on which streams are watched, served on this machine or written beside the streams."""

from __future__ import annotations

import argparse
import errno
import json
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache

from timelapse_runtime.cli import EXIT_OK, CommandFailed
from timelapse_runtime.runtime.state.contract import Store
from timelapse_runtime.runtime.state.s3 import S3Store, make_client
from timelapse_runtime.timelapse.model.location import Location
from timelapse_runtime.watch.files import FOLDER, INDEX
from timelapse_runtime.watch.publish import publish
from timelapse_runtime.watch.server import WatchServer
from timelapse_runtime.watch.site import Site
from timelapse_runtime.watch.streams import Streams


def run(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    """Serve the page until Ctrl-C, or publish it. The exit code. Raises CommandFailed, TimelapseError."""
    if options.publish:
        return _publish(options, variables)
    with serve(options.video, variables, options.port) as server:
        # This line alone is for programs: without a terminal it would wait in a buffer until the end.
        print(json.dumps({"url": server.url}) if options.json else f"watch: {server.url} (Ctrl-C ends it)", flush=True)
        if options.open:
            webbrowser.open(server.url)
        try:
            server.wait()
        except KeyboardInterrupt:
            if not options.json:
                print()
    return EXIT_OK


@contextmanager
def serve(video: Location, variables: Mapping[str, str], port: int = 0) -> Iterator[WatchServer]:
    """The page over what is at `video` serves during the `with` block. Raises CommandFailed, TimelapseError."""
    site = Site(_streams(video, variables))
    try:
        server = WatchServer(site, port)
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
            raise
        what = "is in use" if error.errno == errno.EADDRINUSE else "may not be used by this user"
        raise CommandFailed(f"port {port} {what}: choose another by --port, or any free one by --port 0") from error
    with server:
        yield server


def _publish(options: argparse.Namespace, variables: Mapping[str, str]) -> int:
    streams = _streams(options.video, variables)
    place = options.video
    if streams.is_one:
        folder = f"s3://{place.bucket}/{place.prefix}"
        raise CommandFailed(f"{folder} is one stream: the page is published in the folder that has all streams")
    names = streams.names()
    keys = publish(streams.video, place, names)
    address = f"s3://{place.bucket}/{place.prefix}{FOLDER}{INDEX}"
    if options.json:
        print(json.dumps({"bucket": place.bucket, "keys": keys, "streams": names}))
        return EXIT_OK
    print(f"published {address}: {len(keys)} objects; streams: {', '.join(names) or 'none yet'}")
    print("with the stack's Watch=cloudfront its address is the stack's output WatchPage")
    print("publish it again after a new stream begins, and after an upgrade")
    return EXIT_OK


def _streams(video: Location, variables: Mapping[str, str]) -> Streams:
    client = make_client(variables=variables, user_agent="timelapse-watch")

    @cache
    def photos(bucket: str) -> Store:
        return S3Store(client, bucket, requester_pays=True)

    return Streams(S3Store(client, video.bucket), video, photos)
