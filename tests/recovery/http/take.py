"""A take: one run of a scenario on a stream of its own, played to the end and judged."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from tests.probe import ffmpeg_numbers, ffprobe_frames
from tests.recovery.http.proxy import Fault
from tests.recovery.http.rig import BUCKET, Rig
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.verify import Verifier


@dataclass(frozen=True)
class Scenario:
    """`play` with photos of this size and these settings. Requests fail whose key ends with `request_suffix`."""

    name: str
    play: Callable[[Take], None]
    photo_size: tuple[int, int] = (128, 64)
    settings: Mapping[str, str] = field(default_factory=dict)
    request_suffix: str = ""


class Take:
    """What happens to one stream. The camera uploads without the proxy, and a failed event is tried twice again."""

    def __init__(self, rig: Rig, scenario: Scenario, faults: Mapping[int, Fault]) -> None:
        self._rig, self._scenario = rig, scenario
        self._stream = rig.new_stream(scenario.settings, faults)
        self._keys = StreamKeys(f"video/{self._stream}/")
        self._usable: list[int] = []
        self._unusable: list[int] = []
        self._failed: list[str] = []

    def play(self) -> None:
        """With the faults."""
        self._scenario.play(self)

    def finish(self) -> None:
        """What is left, without faults."""
        self._rig.proxy.heal()
        self.sweep(drain=True, all_reels=True)

    def upload(self, number: int, body: bytes | None = None) -> dict[str, object]:
        """Put a photo, or `body` that is none; the event of it, to be delivered or lost."""
        (self._usable if body is None else self._unusable).append(number)
        body = self._rig.photo(self._scenario.photo_size, number) if body is None else body
        etag = self._rig.store.put(self._key(number), body, content_type="image/jpeg")
        return object_created_event(BUCKET, self._key(number), size_bytes=len(body), etag=etag)

    def deliver(self, event: dict[str, object]) -> None:
        """An asynchronous invocation."""
        if not self._rig.invoke(event):
            self._failed.append(json.dumps(event))

    def shoot(self, numbers: Iterable[int]) -> None:
        """Photos, each with its event."""
        for number in numbers:
            self.deliver(self.upload(number))

    def sweep(self, **what: bool) -> None:
        """A sweep of the stream."""
        self.deliver({"sweep": {"stream": self._stream, **what}})

    def shut_down(self) -> None:
        """The environment ends with a plan; the next invocation finds another one."""
        self._rig.shut_down()

    def wrong(self) -> list[str]:
        """What three attempts did not do, what the audit finds, and what another decoder shows."""
        wrong = [f"three attempts failed: {what}" for what in self._failed]
        report = Verifier(self._rig.store, self._rig.store, self._keys.folder, f"frames/{self._stream}/").run()
        wrong += [f"verify: {finding.kind} {finding.where}: {finding.detail}" for finding in report.findings]
        wrong += [f"verify: pending {key}" for key in report.pending]
        rejected = [json.loads(body)["key"] for body in self._bodies(f"{self._keys.folder}rejected/")]
        if rejected != [self._key(number) for number in self._unusable]:
            wrong.append(f"rejected are {rejected}")
        shown = [number for video in self._bodies(self._keys.reels, "video.mp4") for number in _numbers(video)]
        if shown != self._usable:
            wrong.append(f"the film shows {shown}; {self._usable} was to be seen")
        return wrong

    def _key(self, number: int) -> str:
        return f"frames/{self._stream}/{number:06d}.jpg"

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
        return ffmpeg_numbers(file.name)


def _grow(take: Take) -> None:
    """Flushes within a segment and over its end, a photo that cannot be used, an event that is lost, a shutdown by
    plan in the middle of a segment, sweeps, and a reel that ends.
    """
    take.shoot(range(4))
    take.deliver(take.upload(4, b"no photo"))
    take.shoot([5])
    take.upload(6)
    take.shoot(range(7, 16))
    take.shut_down()
    take.shoot(range(16, 20))
    take.sweep(drain=True)
    take.shoot([20])
    take.sweep(close=True)
    take.shoot(range(21, 24))


def _grow_large(take: Take) -> None:
    """`video.mp4` passes 5 MiB: whole, then by parts, then by parts that S3 copies, in an environment that goes on."""
    take.shoot(range(4))
    take.shut_down()
    take.shoot(range(4, 7))
    take.sweep(drain=True)
    take.shoot([7])
    take.sweep(close=True)


SCENARIOS = (
    Scenario("growing film", _grow),
    Scenario(
        "large film",
        _grow_large,
        (1920, 1080),
        {"TIMELAPSE_CRF": "0", "TIMELAPSE_PRESET": "ultrafast", "TIMELAPSE_KEYFRAME_INTERVAL": "4"},
        "/video.mp4",
    ),
)
