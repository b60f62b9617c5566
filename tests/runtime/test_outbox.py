"""Outbox jobs: complete or absent, sent in order, and what each kind of response leads to."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.outbox import (
    Outbox,
    OutboxPut,
    hold_presence,
    is_extension_alive,
    outbox_folder,
    read_job,
)
from timelapse_runtime.runtime.outbox_sender import NotSent, Outcome, Result, send_all, send_job

CREATED = 1_790_000_000_000
SEGMENT = OutboxPut(
    "https://bucket/segment?X-Amz-Signature=1", {"if-none-match": "*"}, b"segment" * 100, "https://bucket/segment?read"
)
CHECKPOINT = OutboxPut("https://bucket/checkpoint", {"if-match": '"etag"'}, b"{}", "https://bucket/checkpoint?read")
EMPTY = OutboxPut("https://bucket/empty", {}, b"", "https://bucket/empty?read")
PUTS = (SEGMENT, CHECKPOINT, EMPTY)


class Sender:
    """Answers PUTs from a list, and GETs with what is `stored`; each takes 10 ms."""

    def __init__(self, clock: ManualClock, *answers: int | OSError, stored: bytes | OSError | None = None) -> None:
        self._clock, self._answers, self._stored = clock, list(answers), stored
        self.read_urls: list[str] = []
        self.sent: list[OutboxPut] = []
        self.timeouts: list[float] = []

    def put(self, put: OutboxPut, timeout_seconds: float) -> int:
        self.sent.append(put)
        self.timeouts.append(timeout_seconds)
        self._clock.advance(10)
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def read(self, url: str, timeout_seconds: float) -> bytes | None:
        assert timeout_seconds > 0
        self.read_urls.append(url)
        self._clock.advance(10)
        if isinstance(self._stored, OSError):
            raise self._stored
        return self._stored


def job_in(folder: Path, name: str = "cam", puts: tuple[OutboxPut, ...] = PUTS, lifetime_seconds: int = 60) -> Path:
    Outbox(folder, ManualClock(CREATED)).write(name, puts, lifetime_seconds=lifetime_seconds)
    return folder / f"{name}.job"


def sent(path: Path, clock: ManualClock, sender: Sender, time_ms: int = 1_000) -> Outcome:
    return send_job(
        read_job(path),
        deadline_epoch_ms=CREATED + time_ms,
        clock=clock,
        sender=sender,
        pause=lambda seconds: clock.advance(seconds * 1000),
    )


def test_job_reads_back_as_it_was_written(tmp_path: Path) -> None:
    job = read_job(job_in(tmp_path / "folder"))
    assert job.puts == PUTS
    assert (job.name, job.created_epoch_ms, job.expires_epoch_ms) == ("cam", CREATED, CREATED + 60_000)


def test_job_and_folder_are_for_their_owner_only(tmp_path: Path) -> None:
    path = job_in(tmp_path / "folder")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_longer_job_replaces_a_shorter_one_of_the_same_name(tmp_path: Path) -> None:
    job_in(tmp_path, puts=(SEGMENT,))
    path = job_in(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["cam.job"]
    assert read_job(path).puts == PUTS


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden"])
def test_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        job_in(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def spoil(line: bytes, bodies: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(line), **fields}).encode() + b"\n" + bodies


@pytest.mark.parametrize("cut", ["empty", "no newline", "short", "long", "other format", "no puts", "not JSON", "list"])
def test_job_that_is_not_whole_is_not_read(tmp_path: Path, cut: str) -> None:
    path = job_in(tmp_path)
    line, _, bodies = path.read_bytes().partition(b"\n")
    path.write_bytes(
        {
            "empty": b"",
            "no newline": line,
            "short": line + b"\n" + bodies[:-1],
            "long": line + b"\n" + bodies + b"x",
            "other format": spoil(line, bodies, format=2),
            "no puts": spoil(line, bodies, puts=None),
            "not JSON": line[:-5] + b"\n" + bodies,
            "list": b"[]\n",
        }[cut]
    )
    with pytest.raises(ValueError, match=r".+"):
        read_job(path)


def test_puts_are_sent_in_order_and_the_file_goes(tmp_path: Path) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, 200, 204)
    assert sent(path, clock, sender) == Outcome("cam", Result.SENT, 3, 3, 702, 204)
    assert tuple(sender.sent) == PUTS
    assert sender.timeouts == [1.0, 0.99, 0.98]
    assert not path.exists()


@pytest.mark.parametrize("status", [400, 403, 404, 412])
def test_first_refusal_stops_the_job_and_removes_it(tmp_path: Path, status: int) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, status)
    assert sent(path, clock, sender) == Outcome("cam", Result.REFUSED, 3, 1, 700, status)
    assert not path.exists()


@pytest.mark.parametrize("trouble", [409, 429, 500, 503, ConnectionError("reset"), NotSent("refused")])
def test_what_may_pass_is_tried_again(tmp_path: Path, trouble: int | OSError) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, trouble, trouble, 200, 200, 200)
    assert sent(path, clock, sender).result is Result.SENT
    assert sender.sent[:3] == [SEGMENT] * 3


@pytest.mark.parametrize("trouble", [500, TimeoutError("no answer")])
def test_412_after_an_unclear_attempt_is_its_success_where_the_body_is_stored(
    tmp_path: Path, trouble: int | OSError
) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, trouble, 412, 200, stored=CHECKPOINT.body)
    assert sent(path, clock, sender).result is Result.SENT
    assert sender.read_urls == [CHECKPOINT.read_url]


@pytest.mark.parametrize("stored", [b"{another}", None])
def test_412_after_an_unclear_attempt_is_a_refusal_where_something_else_is_stored(
    tmp_path: Path, stored: bytes | None
) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, 500, 412, stored=stored)
    assert sent(path, clock, sender) == Outcome("cam", Result.REFUSED, 3, 1, 700, 412)


def test_412_is_unclear_until_the_object_was_read(tmp_path: Path) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 500, *[412] * 100, stored=TimeoutError("no answer"))
    assert sent(path, clock, sender, time_ms=200).result is Result.OUT_OF_TIME
    assert path.exists()


@pytest.mark.parametrize("trouble", [409, NotSent("refused")])
def test_412_after_an_attempt_that_did_not_happen_is_a_refusal(tmp_path: Path, trouble: int | OSError) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, trouble, 412)
    assert sent(path, clock, sender).result is Result.REFUSED


def test_success_of_one_put_makes_no_excuse_for_the_next(tmp_path: Path) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 500, 200, 412)
    assert sent(path, clock, sender) == Outcome("cam", Result.REFUSED, 3, 1, 700, 412)


def test_job_is_left_when_time_runs_out(tmp_path: Path) -> None:
    path, clock = job_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, *[503] * 100)
    assert sent(path, clock, sender, time_ms=200).result is Result.OUT_OF_TIME
    assert path.exists()
    assert clock.now_epoch_ms() < CREATED + 300


def test_expired_job_is_removed_unsent(tmp_path: Path) -> None:
    path, clock = job_in(tmp_path, lifetime_seconds=0), ManualClock(CREATED)
    sender = Sender(clock)
    assert sent(path, clock, sender).result is Result.EXPIRED
    assert not path.exists()


def test_every_job_in_the_folder_has_its_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(CREATED)
    job_in(tmp_path, "north", (SEGMENT,))
    job_in(tmp_path, "south", (CHECKPOINT,))
    (tmp_path / "lost.job").write_bytes(b"?")
    (tmp_path / "half.unfinished").write_bytes(b"{")
    caplog.set_level("INFO")
    sender = Sender(clock, 412, 200)
    outcomes = send_all(tmp_path, deadline_epoch_ms=CREATED + 1_000, clock=clock, sender=sender)
    assert [(outcome.name, outcome.result) for outcome in outcomes] == [
        ("lost", Result.UNREADABLE),
        ("north", Result.REFUSED),
        ("south", Result.SENT),
    ]
    assert list(tmp_path.iterdir()) == []
    counts = [
        (r.__dict__["outbox_job"], r.__dict__["outbox_sent_count"], r.__dict__["outbox_sent_bytes"])
        for r in caplog.records[1:]
    ]
    assert counts == [("north", 0, 0), ("south", 1, 2)]


def test_folder_that_is_not_there_holds_no_folder(tmp_path: Path) -> None:
    clock = ManualClock()
    folder = tmp_path / "none"
    sender = Sender(clock)
    assert send_all(folder, deadline_epoch_ms=CREATED, clock=clock, sender=sender) == []
    assert not is_extension_alive(folder)


def test_announcement_ends_with_who_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with hold_presence(folder):
        assert is_extension_alive(folder)
        assert is_extension_alive(folder)
    assert (folder / "extension.json").exists()
    assert not is_extension_alive(folder)


def test_folder_is_in_the_environments_temporary_folder() -> None:
    assert outbox_folder({"TMPDIR": "/here"}) == Path("/here/lambda-outbox")
    assert outbox_folder({}) == Path("/tmp/lambda-outbox")


def test_where_there_is_no_space_the_earlier_job_stays_and_nothing_else(tmp_path: Path) -> None:
    path = job_in(tmp_path, puts=(SEGMENT,))
    (tmp_path / "cam.unfinished").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        job_in(tmp_path)
    assert read_job(path).puts == (SEGMENT,)
    assert [found.name for found in tmp_path.iterdir()] == ["cam.job"]
