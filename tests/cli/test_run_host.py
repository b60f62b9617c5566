"""The loop of `timelapse run` over stores in memory: what it asks for and when, and what it does after errors."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.recovery.fake_media import fake_photo, fake_world
from timelapse_runtime.cli.run_host import Host, QueueError
from timelapse_runtime.emulator.s3_event import object_created_event
from timelapse_runtime.runtime.function import Deadline
from timelapse_runtime.runtime.state.errors import AccessDenied, StorageError, StorageUnavailable
from timelapse_runtime.timelapse import Timelapse
from timelapse_runtime.timelapse.config import parse_config
from timelapse_runtime.timelapse.errors import ConfigError, DeadlineTooClose
from timelapse_runtime.timelapse.model.checkpoint import Checkpoint
from timelapse_runtime.timelapse.model.keys import StreamKeys
from timelapse_runtime.timelapse.routing import stream_names
from timelapse_runtime.timelapse.verify import Verifier

DAY = 86_400


@dataclass
class Said:
    """What the host reports: the names that failed, with their errors, and those that worked after that."""

    failures: list[tuple[str, str]] = field(default_factory=list)
    works_again: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)

    def failed(self, name: str, error: Exception) -> None:
        self.failures.append((name, type(error).__name__))

    def works(self, name: str) -> None:
        if name in dict(self.failures) and name not in self.works_again:
            self.works_again.append(name)

    def cameras(self, names: Sequence[str]) -> None:
        self.known = list(names)


class Scene:
    """Cameras that upload while hosts wait: each wait moves the clock, second by second."""

    def __init__(self, *cameras: str, **settings: str) -> None:
        self.world = fake_world({"TIMELAPSE_ORDER": "arrival", "TIMELAPSE_OPEN_STREAMS": "50"})
        self.names, self.settings = list(cameras), settings
        self.said = Said()
        self.each_second: Callable[[int], None] = lambda _second: None
        self.uploaded: Counter[str] = Counter()
        self._end = 0.0

    # ---- the world

    @property
    def clock(self) -> Any:
        return self.world.clock

    def upload(self, name: str, body: bytes | None = None) -> str:
        number = self.uploaded[name]
        self.uploaded[name] += 1
        key = f"frames/{name}/{number:06d}.jpg"
        self.world.frames.put(key, body or fake_photo(number))
        return key

    def upload_each(self, _second: int = 0) -> None:
        for name in self.names:
            self.upload(name)

    def now(self) -> float:
        return float(self.clock.now_epoch_ms()) / 1000

    # ---- Stop

    def is_set(self) -> bool:
        return self.now() >= self._end

    def wait(self, seconds: float) -> None:
        whole, rest = divmod(seconds, 1)
        for _ in range(int(whole)):
            if self.is_set():
                return
            self.clock.advance(1_000)
            self.each_second(int(self.now()))
        self.clock.advance(rest * 1_000 + 1)

    # ---- hosts

    def host(self, function: Any = None, *, queue: Any = None, sweep_seconds: float = 60) -> Host:
        variables = {"TIMELAPSE_FRAMES": "s3://frames-bucket/frames/", "TIMELAPSE_VIDEO": "s3://video-bucket/video/"}
        config, frames = parse_config(variables), self.world.frames
        self.function: Timelapse = function or self.world.environment(**self.settings)
        return Host(
            self.function,
            lambda: stream_names(config, frames),
            self.said,
            self,
            self.now,
            poll_seconds=10,
            sweep_seconds=sweep_seconds,
            queue=queue,
        )

    def run(self, seconds: float, host: Host | None = None) -> None:
        """Until so many seconds have passed."""
        self._end = self.now() + seconds
        (host or self.host()).run()

    def close(self) -> None:
        """What a signal leads to after the loop."""
        self.function.close(Deadline(self.clock.now_epoch_ms() + 60_000))

    def finish(self) -> None:
        """Bring everything to an end, by a new process."""
        self.clock.advance(3_600_000)
        self._end = self.now() + 1_000
        self.host().once()

    def frame_counts(self) -> dict[str, int]:
        bodies = {name: self.world.video.peek(f"video/{name}/checkpoint.json") for name in self.names}
        return {name: Checkpoint.from_json(body).frame_count if body else 0 for name, body in bodies.items()}

    def findings(self) -> list[Any]:
        """What `timelapse verify` finds in all streams."""
        found = []
        for name in self.names:
            places = StreamKeys(f"video/{name}/").folder, f"frames/{name}/"
            stores = self.world.frames, self.world.video
            found += Verifier(*stores, *places, self.world.codec, clock=self.clock).run().findings
        return found

    def fail_while(self, fails: Callable[[str], bool], error: type[StorageError] = StorageUnavailable) -> None:
        """Each request fails whose key `fails` says so of."""

        def check(operation: str, key: str) -> None:
            if fails(key):
                raise error(operation, "bucket", key, "down", code="EndpointConnectionError")

        self.world.frames.on_request = self.world.video.on_request = check


def test_a_poll_of_a_camera_is_one_listing_and_each_photo_is_read_once() -> None:
    scene = Scene("garden", "roof", flush_every="60")
    scene.each_second = scene.upload_each
    scene.upload_each()
    host = scene.host(sweep_seconds=DAY)
    scene.run(40, host)
    before = Counter(scene.world.frames.request_counts)
    read_before = sum(scene.uploaded.values())
    scene.run(60, host)
    after = Counter(scene.world.frames.request_counts) - before
    polls, looks = 2 * 6, 1
    assert after["ListObjectsV2"] <= polls + looks + 2  # and one more with each flush
    assert after["GetObject"] <= sum(scene.uploaded.values()) - read_before + 2
    scene.each_second = lambda _second: None
    scene.run(200, host)  # what waits is committed
    idle = Counter(scene.world.frames.request_counts)
    scene.run(120, host)
    asked = Counter(scene.world.frames.request_counts) - idle
    assert set(asked) == {"ListObjectsV2"}
    assert 2 * 11 + 1 <= asked["ListObjectsV2"] <= 2 * 13 + 3
    scene.close()
    assert scene.frame_counts() == scene.uploaded


@pytest.mark.parametrize("is_killed", [False, True])
def test_the_next_run_continues_with_nothing_lost_or_twice(is_killed: bool) -> None:
    scene = Scene("garden", "roof", flush_every="7")
    scene.upload_each()
    scene.each_second = scene.upload_each
    for _ in range(4):
        scene.run(33)
        if not is_killed:
            scene.close()
            assert sum(scene.frame_counts().values()) >= sum(scene.uploaded.values()) - 2 * 10, "all but unread ones"
    scene.finish()
    assert scene.frame_counts() == scene.uploaded
    assert scene.findings() == []
    assert scene.said.failures == []


def test_a_day_without_network_ends_nothing() -> None:
    scene = Scene("garden", "roof")
    scene.upload_each()
    host = scene.host()
    scene.run(120, host)
    scene.fail_while(lambda _key: True)
    before = sum(map(sum, (scene.world.frames.request_counts.values(), scene.world.video.request_counts.values())))
    scene.run(DAY, host)
    tried = sum(map(sum, (scene.world.frames.request_counts.values(), scene.world.video.request_counts.values())))
    assert {error for _, error in scene.said.failures} == {"StorageUnavailable"}
    assert tried - before < 3 * DAY / 40
    scene.fail_while(lambda _key: False)
    scene.upload_each()
    scene.run(200, host)
    assert set(scene.said.works_again) == {"garden", "roof", "the list of cameras"}
    assert scene.frame_counts() == {"garden": 2, "roof": 2}


def test_of_ten_cameras_one_fails_alone() -> None:
    scene = Scene(*(f"camera-{number}" for number in range(10)))
    scene.upload_each()
    scene.fail_while(lambda key: "camera-3/" in key)
    host = scene.host()
    scene.run(200, host)
    assert scene.frame_counts() == {name: int(name != "camera-3") for name in scene.names}
    assert {name for name, _ in scene.said.failures} == {"camera-3"}
    scene.fail_while(lambda _key: False)
    scene.run(200, host)
    assert scene.frame_counts() == scene.uploaded


def test_a_new_camera_is_found() -> None:
    scene = Scene("garden", "roof")
    scene.upload("garden")
    host = scene.host()
    scene.run(100, host)
    scene.upload("roof")
    scene.run(200, host)
    assert scene.said.known == ["garden", "roof"]
    assert scene.frame_counts() == {"garden": 1, "roof": 1}


def test_what_is_refused_from_the_beginning_is_an_error_and_later_it_is_not() -> None:
    scene = Scene("garden")
    scene.upload_each()
    scene.fail_while(lambda key: key.startswith("video/"), AccessDenied)
    with pytest.raises(AccessDenied):
        scene.run(60)
    scene.fail_while(lambda _key: False)
    host = scene.host()
    scene.run(60, host)
    scene.fail_while(lambda key: key.startswith("frames/"), AccessDenied)
    scene.run(600, host)
    scene.fail_while(lambda _key: False)
    scene.upload_each()
    scene.run(200, host)
    assert scene.frame_counts() == {"garden": 2}


@dataclass
class Scripted:
    """A function that answers as it is told."""

    scene: Scene
    outcomes: Callable[[str], Exception | None]
    asked: list[str] = field(default_factory=list)

    def invoke(self, event: Any, _context: Any) -> Mapping[str, Any]:
        name = str(next(iter(event.values())))
        self.asked.append(name)
        self.scene.clock.advance(30_000)
        if (error := self.outcomes(name)) is not None:
            raise error
        return {}


def test_a_camera_with_a_backlog_takes_turns_with_the_others() -> None:
    scene = Scene("backlog", "garden", "roof")
    scene.upload_each()
    function = Scripted(scene, lambda name: DeadlineTooClose(name) if name == "backlog" else None)
    scene.run(1_000, scene.host(function))
    assert function.asked[:9] == ["backlog", "garden", "roof"] * 3
    assert scene.said.failures == []


def test_a_wrong_configuration_ends_it_at_any_time() -> None:
    scene = Scene("garden")
    scene.upload_each()
    outcomes = iter([None, None, ConfigError("TIMELAPSE_VIDEO", "", "")])
    with pytest.raises(ConfigError):
        scene.run(1_000, scene.host(Scripted(scene, lambda _name: next(outcomes))))


def test_two_runs_and_a_deployed_function_work_side_by_side() -> None:
    """Each in turn, on photos that also are announced to the function. The run is killed, not closed."""
    scene = Scene("garden", flush_every="7")
    deployed = scene.world.environment(flush_every="7")
    one, two = scene.host(), scene.host()
    for round_number in range(30):
        for _ in range(5):
            scene.clock.advance(1_000)
            key = scene.upload("garden")
            if round_number % 3:
                deployed.invoke(object_created_event("frames-bucket", key), scene.world.context(10**15))
        for host in (one, two) if round_number % 2 else (two, one):
            scene.run(11, host)
    scene.finish()
    assert scene.frame_counts() == scene.uploaded
    assert scene.findings() == []


# ---- queue


@dataclass
class FakeQueue:
    """Messages by id; those that are not deleted come again after 30 seconds."""

    scene: Scene
    messages: dict[str, tuple[float, str]] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    error: QueueError | None = None
    waited: list[int] = field(default_factory=list)

    def announce(self, key: str) -> None:
        self.messages[key] = 0, json.dumps(object_created_event("frames-bucket", key))

    def receive(self, wait_seconds: int) -> Sequence[Mapping[str, str]]:
        if self.error is not None:
            raise self.error
        self.waited.append(wait_seconds)
        found = self._visible()
        if not found:
            self.scene.wait(max(1, wait_seconds))
            found = self._visible()
        for name in found:
            self.messages[name] = self.scene.now() + 30, self.messages[name][1]
        return [{"messageId": name, "body": self.messages[name][1], "receiptHandle": name} for name in found]

    def _visible(self) -> list[str]:
        return [name for name, (since, _) in self.messages.items() if since <= self.scene.now()][:10]

    def delete(self, messages: Sequence[Mapping[str, str]]) -> None:
        for message in messages:
            self.deleted.append(message["messageId"])
            del self.messages[message["receiptHandle"]]


def test_messages_are_deleted_if_their_streams_did_not_fail() -> None:
    scene = Scene("garden", "roof")
    queue = FakeQueue(scene)
    for name in scene.names:
        for _ in range(3):
            queue.announce(scene.upload(name))
    queue.messages["poison"] = 0, "{"
    scene.fail_while(lambda key: "video/roof/" in key)
    host = scene.host(queue=queue, sweep_seconds=300)
    scene.run(20, host)
    assert sorted(queue.deleted) == [f"frames/garden/{number:06d}.jpg" for number in range(3)]
    scene.fail_while(lambda _key: False)
    scene.run(200, host)
    assert set(queue.messages) == {"poison"}
    scene.finish()
    assert scene.frame_counts() == scene.uploaded
    assert scene.findings() == []


def test_with_a_queue_nothing_is_polled_and_sweeps_find_what_no_message_announced() -> None:
    scene = Scene("garden")
    queue = FakeQueue(scene)
    scene.upload("garden")
    host = scene.host(queue=queue, sweep_seconds=300)
    scene.run(200, host)
    before = scene.world.frames.request_counts["ListObjectsV2"]
    scene.upload("garden")
    scene.run(90, host)
    assert scene.world.frames.request_counts["ListObjectsV2"] - before <= 3, "looks for cameras"
    scene.run(400, host)
    assert scene.frame_counts() == {"garden": 2}
    assert max(queue.waited) <= 20


def test_a_queue_that_is_refused_from_the_beginning_is_an_error_and_one_that_is_silent_is_not() -> None:
    scene = Scene("garden")
    queue = FakeQueue(scene, error=QueueError("no such queue", is_refused=True))
    with pytest.raises(QueueError):
        scene.run(60, scene.host(queue=queue))
    queue.error = QueueError("unreachable", is_refused=False)
    host = scene.host(queue=queue)
    scene.run(300, host)
    queue.error = None
    queue.announce(scene.upload("garden"))
    scene.run(300, host)
    assert scene.frame_counts() == {"garden": 1}


# ---- once


def test_once_takes_everything_and_ends() -> None:
    scene = Scene("garden", "roof")
    for _ in range(20):
        scene.clock.advance(1_000)
        scene.upload_each()
    scene.finish()
    assert scene.frame_counts() == {"garden": 20, "roof": 20}


def test_once_gives_each_camera_its_turn_before_it_fails() -> None:
    scene = Scene("garden", "roof")
    scene.upload_each()
    scene.fail_while(lambda key: "video/garden/" in key)
    with pytest.raises(StorageUnavailable):
        scene.finish()
    assert scene.frame_counts() == {"garden": 0, "roof": 1}
