"""Plans: whole or absent, carried out in order, and what each kind of answer makes of them."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from timelapse_runtime.runtime.clock import ManualClock
from timelapse_runtime.runtime.outbox import (
    NotSent,
    Outcome,
    Put,
    Result,
    announce,
    carry_out,
    carry_out_all,
    folder,
    is_announced,
    read_plan,
    write_plan,
)

CREATED = 1_790_000_000_000
SEGMENT = Put(
    "https://bucket/segment?X-Amz-Signature=1", {"if-none-match": "*"}, b"segment" * 100, "https://bucket/segment?read"
)
CHECKPOINT = Put("https://bucket/checkpoint", {"if-match": '"etag"'}, b"{}", "https://bucket/checkpoint?read")
EMPTY = Put("https://bucket/empty", {}, b"", "https://bucket/empty?read")
PUTS = (SEGMENT, CHECKPOINT, EMPTY)


class Sender:
    """Answers PUTs from a list, and GETs with what is `stored`; each takes 10 ms."""

    def __init__(self, clock: ManualClock, *answers: int | OSError, stored: bytes | OSError | None = None) -> None:
        self._clock, self._answers, self._stored = clock, list(answers), stored
        self.read_urls: list[str] = []
        self.sent: list[Put] = []
        self.timeouts: list[float] = []

    def __call__(self, put: Put, timeout_seconds: float) -> int:
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


def plan_in(plans: Path, name: str = "cam", puts: tuple[Put, ...] = PUTS, lifetime_ms: int = 60_000) -> Path:
    return write_plan(plans, name, puts, created_epoch_ms=CREATED, expires_epoch_ms=CREATED + lifetime_ms)


def carried_out(path: Path, clock: ManualClock, sender: Sender, time_ms: int = 1_000) -> Outcome:
    return carry_out(
        read_plan(path),
        deadline_epoch_ms=CREATED + time_ms,
        clock=clock,
        send=sender,
        read=sender.read,
        pause=lambda seconds: clock.advance(seconds * 1000),
    )


def test_plan_reads_back_as_it_was_written(tmp_path: Path) -> None:
    plan = read_plan(plan_in(tmp_path / "plans"))
    assert plan.puts == PUTS
    assert (plan.name, plan.created_epoch_ms, plan.expires_epoch_ms) == ("cam", CREATED, CREATED + 60_000)


def test_plan_and_folder_are_for_their_owner_only(tmp_path: Path) -> None:
    path = plan_in(tmp_path / "plans")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_longer_plan_replaces_a_shorter_one_of_the_same_name(tmp_path: Path) -> None:
    plan_in(tmp_path, puts=(SEGMENT,))
    path = plan_in(tmp_path)
    assert [found.name for found in tmp_path.iterdir()] == ["cam.plan"]
    assert read_plan(path).puts == PUTS


@pytest.mark.parametrize("name", ["", "a/b", "../up", ".hidden"])
def test_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        plan_in(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def spoil(line: bytes, bodies: bytes, **fields: object) -> bytes:
    return json.dumps({**json.loads(line), **fields}).encode() + b"\n" + bodies


@pytest.mark.parametrize("cut", ["empty", "no newline", "short", "long", "other format", "no puts", "not JSON", "list"])
def test_plan_that_is_not_whole_is_not_read(tmp_path: Path, cut: str) -> None:
    path = plan_in(tmp_path)
    line, _, bodies = path.read_bytes().partition(b"\n")
    path.write_bytes(
        {
            "empty": b"",
            "no newline": line,
            "short": line + b"\n" + bodies[:-1],
            "long": line + b"\n" + bodies + b"x",
            "other format": spoil(line, bodies, format=3),
            "no puts": spoil(line, bodies, puts=None),
            "not JSON": line[:-5] + b"\n" + bodies,
            "list": b"[]\n",
        }[cut]
    )
    with pytest.raises(ValueError, match=r".+"):
        read_plan(path)


def test_puts_are_sent_in_order_and_the_file_goes(tmp_path: Path) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, 200, 204)
    assert carried_out(path, clock, sender) == Outcome("cam", Result.CARRIED_OUT, 3, 3, 702, 204)
    assert tuple(sender.sent) == PUTS
    assert sender.timeouts == [1.0, 0.99, 0.98]
    assert not path.exists()


@pytest.mark.parametrize("status", [400, 403, 404, 412])
def test_first_refusal_stops_the_plan_and_removes_it(tmp_path: Path, status: int) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, status)
    assert carried_out(path, clock, sender) == Outcome("cam", Result.REFUSED, 3, 1, 700, status)
    assert not path.exists()


@pytest.mark.parametrize("trouble", [409, 429, 500, 503, ConnectionError("reset"), NotSent("refused")])
def test_what_may_pass_is_tried_again(tmp_path: Path, trouble: int | OSError) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, trouble, trouble, 200, 200, 200)
    assert carried_out(path, clock, sender).result is Result.CARRIED_OUT
    assert sender.sent[:3] == [SEGMENT] * 3


@pytest.mark.parametrize("trouble", [500, TimeoutError("no answer")])
def test_412_after_an_unclear_attempt_is_its_success_where_the_body_is_stored(
    tmp_path: Path, trouble: int | OSError
) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, trouble, 412, 200, stored=CHECKPOINT.body)
    assert carried_out(path, clock, sender).result is Result.CARRIED_OUT
    assert sender.read_urls == [CHECKPOINT.read_url]


@pytest.mark.parametrize("stored", [b"{another}", None])
def test_412_after_an_unclear_attempt_is_a_refusal_where_something_else_is_stored(
    tmp_path: Path, stored: bytes | None
) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, 500, 412, stored=stored)
    assert carried_out(path, clock, sender) == Outcome("cam", Result.REFUSED, 3, 1, 700, 412)


def test_412_is_unclear_until_the_object_was_read(tmp_path: Path) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 500, *[412] * 100, stored=TimeoutError("no answer"))
    assert carried_out(path, clock, sender, time_ms=200).result is Result.OUT_OF_TIME
    assert path.exists()


@pytest.mark.parametrize("trouble", [409, NotSent("refused")])
def test_412_after_an_attempt_that_did_not_happen_is_a_refusal(tmp_path: Path, trouble: int | OSError) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 200, trouble, 412)
    assert carried_out(path, clock, sender).result is Result.REFUSED


def test_success_of_one_put_makes_no_excuse_for_the_next(tmp_path: Path) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, 500, 200, 412)
    assert carried_out(path, clock, sender) == Outcome("cam", Result.REFUSED, 3, 1, 700, 412)


def test_plan_is_left_when_time_runs_out(tmp_path: Path) -> None:
    path, clock = plan_in(tmp_path), ManualClock(CREATED)
    sender = Sender(clock, *[503] * 100)
    assert carried_out(path, clock, sender, time_ms=200).result is Result.OUT_OF_TIME
    assert path.exists()
    assert clock.now_epoch_ms() < CREATED + 300


def test_expired_plan_is_removed_unsent(tmp_path: Path) -> None:
    path, clock = plan_in(tmp_path, lifetime_ms=0), ManualClock(CREATED)
    sender = Sender(clock)
    assert carried_out(path, clock, sender).result is Result.EXPIRED
    assert not path.exists()


def test_every_plan_in_the_folder_has_its_turn(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock(CREATED)
    plan_in(tmp_path, "north", (SEGMENT,))
    plan_in(tmp_path, "south", (CHECKPOINT,))
    (tmp_path / "lost.plan").write_bytes(b"?")
    (tmp_path / "half.unfinished").write_bytes(b"{")
    caplog.set_level("INFO")
    sender = Sender(clock, 412, 200)
    outcomes = carry_out_all(tmp_path, deadline_epoch_ms=CREATED + 1_000, clock=clock, send=sender, read=sender.read)
    assert [(outcome.name, outcome.result) for outcome in outcomes] == [
        ("lost", Result.UNREADABLE),
        ("north", Result.REFUSED),
        ("south", Result.CARRIED_OUT),
    ]
    assert list(tmp_path.iterdir()) == []
    counts = [(r.__dict__["plan"], r.__dict__["done_count"], r.__dict__["done_bytes"]) for r in caplog.records[1:]]
    assert counts == [("north", 0, 0), ("south", 1, 2)]


def test_folder_that_is_not_there_holds_no_plans(tmp_path: Path) -> None:
    clock = ManualClock()
    plans = tmp_path / "none"
    sender = Sender(clock)
    assert carry_out_all(plans, deadline_epoch_ms=CREATED, clock=clock, send=sender, read=sender.read) == []
    assert not is_announced(plans)


def test_announcement_ends_with_who_made_it(tmp_path: Path) -> None:
    plans = tmp_path / "plans"
    with announce(plans):
        assert is_announced(plans)
        assert is_announced(plans)
    assert (plans / "extension.json").exists()
    assert not is_announced(plans)


def test_folder_is_in_the_environments_temporary_folder() -> None:
    assert folder({"TMPDIR": "/here"}) == Path("/here/timelapse-handover")
    assert folder({}) == Path("/tmp/timelapse-handover")


def test_where_there_is_no_space_the_earlier_plan_stays_and_nothing_else(tmp_path: Path) -> None:
    path = plan_in(tmp_path, puts=(SEGMENT,))
    (tmp_path / "cam.unfinished").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space"):
        plan_in(tmp_path)
    assert read_plan(path).puts == (SEGMENT,)
    assert [found.name for found in tmp_path.iterdir()] == ["cam.plan"]
