"""A take: one run of the scenario on a stream of its own, played to the end and judged."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.recovery.http.proxy import Fault
from tests.recovery.http.rig import BUCKET, Rig
from timelapse_runtime.local.camera import object_created_event
from timelapse_runtime.state.keys import StreamKeys
from timelapse_runtime.timelapse.audit import Audit

NO_PHOTO, UNANNOUNCED, COUNT = 4, 6, 24


class Take:
    """`play`, `finish`, and what is `wrong` then."""

    def __init__(self, rig: Rig, faults: Mapping[int, Fault]) -> None:
        self._rig = rig
        self._stream = rig.new_stream(faults)
        self._keys = StreamKeys(f"video/{self._stream}/")
        self._failed: list[str] = []

    def play(self) -> None:
        """Flushes within a segment and over its end, a photo that cannot be used, an event that is lost, a shutdown
        by plan in the middle of a segment, sweeps, and a reel that ends.
        """
        self._shoot(range(NO_PHOTO))
        self._deliver(self._upload(NO_PHOTO, b"no photo"))
        self._shoot([NO_PHOTO + 1])
        self._upload(UNANNOUNCED)
        self._shoot(range(UNANNOUNCED + 1, 16))
        self._rig.shut_down()
        self._shoot(range(16, 20))
        self._sweep(drain=True)
        self._shoot([20])
        self._sweep(close=True)
        self._shoot(range(21, COUNT))

    def finish(self) -> None:
        """What is left, without faults."""
        self._rig.proxy.heal()
        self._sweep(drain=True, all_reels=True)

    def wrong(self) -> list[str]:
        """What three attempts did not do, what the audit finds, and what another decoder shows."""
        wrong = [f"three attempts failed: {what}" for what in self._failed]
        report = Audit(self._rig.store, self._rig.store, self._keys.folder, f"frames/{self._stream}/").run()
        wrong += [f"audit: {finding.kind} {finding.where}: {finding.detail}" for finding in report.findings]
        wrong += [f"audit: pending {key}" for key in report.pending]
        rejected = [json.loads(body)["key"] for body in self._bodies(f"{self._keys.folder}rejected/")]
        if rejected != [self._key(NO_PHOTO)]:
            wrong.append(f"rejected are {rejected}")
        expected = [number for number in range(COUNT) if number != NO_PHOTO]
        shown = [number for video in self._bodies(self._keys.reels, "video.mp4") for number in _numbers(video)]
        if shown != expected:
            wrong.append(f"the film shows {shown}; {expected} was to be seen")
        return wrong

    def _key(self, number: int) -> str:
        return f"frames/{self._stream}/{number:06d}.jpg"

    def _upload(self, number: int, body: bytes | None = None) -> dict[str, object]:
        """Put a photo; its event, to be delivered or lost."""
        body = self._rig.photo(number) if body is None else body
        etag = self._rig.store.put(self._key(number), body, content_type="image/jpeg")
        return object_created_event(BUCKET, self._key(number), len(body), etag)

    def _shoot(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self._deliver(self._upload(number))

    def _deliver(self, event: dict[str, object]) -> None:
        if not self._rig.invoke(event):
            self._failed.append(json.dumps(event))

    def _sweep(self, **what: bool) -> None:
        self._deliver({"sweep": {"stream": self._stream, **what}})

    def _bodies(self, prefix: str, name: str = "") -> Iterator[bytes]:
        for info in self._rig.store.list_after(prefix):
            if info.key.endswith(name):
                yield self._rig.store.get(info.key).body


def _numbers(video: bytes) -> list[int]:
    """The photos' numbers in the film. Raises AssertionError where the decoder complains or the pace is uneven."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(video)
        file.flush()
        probe = ffprobe_frames(file.name)
        assert not probe.messages, probe.messages
        assert len(probe.steps) <= 1, f"frames are {probe.steps} apart"
        return ffmpeg_numbers(Path(file.name))
