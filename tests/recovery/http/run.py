"""One run of a scenario over HTTP: on its own stream, with faults, completed and checked."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.recovery.http.harness import BUCKET, HttpHarness
from tests.recovery.http.proxy import HttpFault
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.verify import Verifier


@dataclass(frozen=True)
class HttpScenario:
    """`steps` with photos of this size and these settings. Requests fail whose key ends with `request_suffix`."""

    name: str
    steps: Callable[[HttpRun], None]
    photo_size: tuple[int, int] = (128, 64)
    settings: Mapping[str, str] = field(default_factory=dict)
    request_suffix: str = ""


class HttpRun:
    """What happens to one stream. The camera uploads without the proxy, and a failed event is tried twice again."""

    def __init__(self, harness: HttpHarness, scenario: HttpScenario, faults: Mapping[int, HttpFault]) -> None:
        self._harness, self._scenario = harness, scenario
        self._stream = harness.new_stream(scenario.settings, faults)
        self._keys = StreamKeys(f"video/{self._stream}/")
        self._usable: list[int] = []
        self._unusable: list[int] = []
        self._failed: list[str] = []
        self._untold: set[int] = set()

    def run_steps(self) -> None:
        """With the faults."""
        self._scenario.steps(self)

    def finish(self) -> None:
        """What is left, without faults."""
        self._harness.proxy.heal()
        self.sweep(drain=True, all_reels=True)

    def upload(self, number: int, body: bytes | None = None) -> dict[str, object]:
        """Put a photo, or `body` that is none; the event of it, to be delivered."""
        (self._usable if body is None else self._unusable).append(number)
        body = self._harness.photo(self._scenario.photo_size, number) if body is None else body
        etag = self._harness.store.put(self._key(number), body, content_type="image/jpeg")
        return object_created_event(BUCKET, self._key(number), size_bytes=len(body), etag=etag)

    def upload_untold(self, number: int) -> None:
        """Put a photo whose event is lost: a listing finds it, perhaps when later photos are frames already."""
        self.upload(number)
        self._untold.add(number)

    def deliver(self, event: dict[str, object]) -> None:
        """An asynchronous invocation."""
        if not self._harness.invoke(event):
            self._failed.append(json.dumps(event))

    def shoot(self, numbers: Iterable[int]) -> None:
        """Photos, each with its event."""
        for number in numbers:
            self.deliver(self.upload(number))

    def sweep(self, **what: bool) -> None:
        """A sweep of the stream."""
        self.deliver({"sweep": {"stream": self._stream, **what}})

    def shut_down(self) -> None:
        """The environment ends with a job in its outbox; the next invocation finds another one."""
        self._harness.shut_down()

    def wrong(self) -> list[str]:
        """What three attempts did not do, what verify finds, and what another decoder shows."""
        wrong = [f"three attempts failed: {what}" for what in self._failed]
        report = Verifier(self._harness.store, self._harness.store, self._keys.folder, f"frames/{self._stream}/").run()
        wrong += [f"verify: {finding.kind} {finding.where}: {finding.detail}" for finding in report.findings]
        wrong += [f"verify: pending {key}" for key in report.pending]
        rejected = [json.loads(body)["key"] for body in self._bodies(f"{self._keys.folder}rejected/")]
        if rejected != [self._key(number) for number in self._unusable]:
            wrong.append(f"rejected are {rejected}")
        shown = [number for video in self._bodies(self._keys.reels, "video.mp4") for number in _numbers(video)]
        told = [number for number in shown if number not in self._untold]
        if told != sorted(told) or sorted(shown) != self._usable:
            wrong.append(f"the video shows {shown}; {self._usable} was to be seen")
        return wrong

    def _key(self, number: int) -> str:
        return f"frames/{self._stream}/{number:06d}.jpg"

    def _bodies(self, prefix: str, name: str = "") -> Iterator[bytes]:
        for info in self._harness.store.list_after(prefix):
            if info.key.endswith(name):
                yield self._harness.store.get(info.key).body


def _numbers(video: bytes) -> list[int]:
    """The photos' numbers in the video. Raises AssertionError where the decoder complains or the pace is uneven."""
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(video)
        file.flush()
        probe = ffprobe_frames(file.name)
        assert not probe.messages, probe.messages
        assert len(probe.steps) <= 1, f"frames are {probe.steps} apart"
        return ffmpeg_numbers(file.name)


def _grow(run: HttpRun) -> None:
    """Flushes within a segment and over its end, a photo that cannot be used, an event that is lost, a shutdown
    by the outbox in the middle of a segment, sweeps, and a reel that ends.
    """
    run.shoot(range(4))
    run.deliver(run.upload(4, b"no photo"))
    run.shoot([5])
    run.upload_untold(6)
    run.shoot(range(7, 16))
    run.shut_down()
    run.shoot(range(16, 20))
    run.sweep(drain=True)
    run.shoot([20])
    run.sweep(close=True)
    run.shoot(range(21, 24))


def _grow_large(run: HttpRun) -> None:
    """`video.mp4` passes 10 MiB: whole, then by parts, then by parts that S3 copies, in an environment that goes on."""
    run.shoot(range(6))
    run.shut_down()
    run.shoot(range(6, 14))
    run.sweep(drain=True)
    run.shoot(range(14, 20))
    run.sweep(close=True)


HTTP_SCENARIOS = (
    HttpScenario("growing video", _grow),
    HttpScenario(
        "large video",
        _grow_large,
        (1920, 1080),
        {"TIMELAPSE_CRF": "0", "TIMELAPSE_PRESET": "ultrafast", "TIMELAPSE_KEYFRAME_INTERVAL": "4"},
        "/video.mp4",
    ),
)
