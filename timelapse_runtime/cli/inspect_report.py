"""What `timelapse inspect` prints of the state of streams: as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any

from timelapse_runtime.cli.refusals import describe_refusal
from timelapse_runtime.export.stream_state import StreamState
from timelapse_runtime.timelapse.model.checkpoint import NAME_ORDER, Reel
from timelapse_runtime.timelapse.model.source_frame import SourceFrame, photo_at
from timelapse_runtime.timelapse.verify_report import counted, duration

INDENT = 14
"""Columns of a line's subject."""


class Report:
    """What was found, as JSON and as text. `streams` is one stream in full, or several briefly (`is_overview`).
    `keep_segments` is TIMELAPSE_KEEP_SEGMENTS of this machine."""

    def __init__(self, streams: list[StreamState], zone: tzinfo, keep_segments: str, *, is_overview: bool) -> None:
        self._streams, self.zone, self._keep_segments, self._is_overview = streams, zone, keep_segments, is_overview

    def to_value(self) -> dict[str, Any]:
        """The report as JSON values. Times are milliseconds since 1970."""
        if self._is_overview:
            return {"streams": [_value(stream, self._keep_segments) for stream in self._streams]}
        return _value(self._streams[0], self._keep_segments)

    def lines(self) -> Iterator[str]:
        """The report as text."""
        if not self._is_overview:
            yield from _lines(self._streams[0], self.zone, self._keep_segments)
            return
        width = max(len(_name(state)) for state in self._streams)
        for state in self._streams:
            yield f"{_name(state):<{width}}  {_summary(state)}"


def _name(state: StreamState) -> str:
    return state.place.rstrip("/").rpartition("/")[2]


def _value(state: StreamState, keep_segments: str) -> dict[str, Any]:
    checkpoint, photos, last, newest = state.checkpoint, state.photos, state.last_frame, state.newest_photo
    return {
        "stream": state.place,
        "source": checkpoint.source,
        "order": checkpoint.order,
        "frame_count": checkpoint.frame_count,
        "reel_count": checkpoint.reel.number if checkpoint.reel else 0,
        "reels": [_reel_value(reel) for reel in state.reels],
        "last_frame": _photo_value(last),
        "newest_photo": _photo_value(newest),
        "lag_ms": state.lag_ms,
        "newest_photo_age_ms": None if newest is None else state.looked_epoch_ms - newest.uploaded_epoch_ms,
        "watermark": checkpoint.watermark,
        "ahead_count": len(checkpoint.ahead),
        "generation": checkpoint.generation,
        "committed_epoch_ms": state.committed_epoch_ms,
        "owner": checkpoint.owner or None,
        "lease_ends_epoch_ms": _lease_ends_epoch_ms(state),
        "settings": dict(state.settings.settings.values),
        "keep_segments": state.settings.value("keep_segments", keep_segments),
        "settings_problem": state.settings.problem or None,
        "waiting_count": photos.waiting_count,
        "oldest_waiting_epoch_ms": photos.oldest_waiting_epoch_ms,
        "rejected_count": state.rejected.count,
        "rejected_by_reason": dict(state.rejected.reasons),
        "rejected_unread_count": state.rejected.unread_count,
        "ignored_by_reason": dict(photos.ignored),
        "listed_after": photos.after,
        "listed_count": photos.listed_count,
        "listing_is_complete": photos.is_complete,
        "photos_denied": describe_refusal(photos.denied) if photos.denied else None,
        "looked_epoch_ms": state.looked_epoch_ms,
    }


def _reel_value(reel: Reel) -> dict[str, Any]:
    return {
        "name": reel.name,
        "frame_count": reel.frame_count,
        "segment_count": len(reel.segments),
        "size_bytes": _size_bytes(reel),
        "width": reel.width,
        "height": reel.height,
        "fps": reel.fps,
        "first_captured_epoch_ms": reel.segments[0].captured_epoch_ms or None,
        "is_closed": reel.is_closed,
        "is_in_video_alone": bool(reel.video_etag),
    }


def _photo_value(photo: SourceFrame | None) -> dict[str, Any] | None:
    if photo is None:
        return None
    return {"key": photo.key, "uploaded_epoch_ms": photo.uploaded_epoch_ms, "taken_epoch_ms": photo.taken_epoch_ms}


def _size_bytes(reel: Reel) -> int:
    return reel.init_size_bytes + sum(segment.size_bytes for segment in reel.segments)


# ---- text


def _lines(state: StreamState, zone: tzinfo, keep_segments: str) -> Iterator[str]:
    yield f"{'stream':<{INDENT}}{state.place}"
    for subject, text in (
        ("video", _video(state, zone)),
        *(("", _reel(reel, zone)) for reel in state.reels),
        ("segments", _segments(state, keep_segments)),
        ("photos", _photos(state)),
        ("waiting", _waiting(state)),
        ("watermark", _watermark(state, zone)),
        ("owner", _owner(state)),
        ("settings", _settings(state)),
        ("rejected", _rejected(state)),
        ("ignored", _ignored(state)),
    ):
        yield f"{subject:<{INDENT}}{text}"


def _video(state: StreamState, zone: tzinfo) -> str:
    count = state.checkpoint.reel.number if state.checkpoint.reel else 0
    text = f"{state.checkpoint.frame_count:,} frames in {counted(count, 'reel')}"
    if state.last_frame is not None:
        taken = _moment(state.last_frame.captured_epoch_ms, zone)
        text += f"; the last was taken {taken} ({state.last_frame.key})"
    shown = len(state.reels)
    return text + (f"; the newest {shown} reels:" if shown < count else ":" if shown else "")


def _reel(reel: Reel, zone: tzinfo) -> str:
    began = reel.segments[0].captured_epoch_ms
    parts = [
        f"{reel.name}  {reel.frame_count:>7,} frames",
        f"{len(reel.segments):>4} segments",
        f"{_megabytes(_size_bytes(reel)):>9}",
        f"{reel.width}x{reel.height} {reel.fps} fps",
        f"from {_moment(began, zone)}" if began else "",
        "open" if not reel.is_closed else "closed, in video.mp4 alone" if reel.video_etag else "closed",
    ]
    return "  ".join(part for part in parts if part)


def _segments(state: StreamState, keep_segments: str) -> str:
    """How long they stay, as far as it is known here, and of how many reels they are gone, or may be at any time."""
    own = state.settings.value("keep_segments", None)
    kept, whose = own or keep_segments, "of the stream" if own else "of this machine; the function's counts"
    text = "kept for ever" if kept == "always" else f"kept for a {kept} after their reel is closed"
    alone = sum(bool(reel.video_etag) for reel in state.reels)
    removed = f", removed of {alone} of {counted(len(state.reels), 'reel')}" if alone else ""
    return f"{text} (TIMELAPSE_KEEP_SEGMENTS {whose}){removed}"


def _photos(state: StreamState) -> str:
    order = "in the order of names" if state.checkpoint.order == NAME_ORDER else "in order of arrival"
    text = f"{state.checkpoint.source}, {order}"
    if state.photos.denied:
        text += f"; {describe_refusal(state.photos.denied)}"
    if (newest := state.newest_photo) is not None:
        text += f"; the newest came {_ago(state, newest.uploaded_epoch_ms)} ({newest.key})"
    return text


def _waiting(state: StreamState) -> str:
    photos, lag_ms = state.photos, state.lag_ms
    text = "not known" if photos.denied else counted(photos.waiting_count, "photo")
    if photos.oldest_waiting_epoch_ms is not None:
        text += f", the oldest came {_ago(state, photos.oldest_waiting_epoch_ms)}"
    if lag_ms is not None and not photos.denied:
        text += f"; the video is {duration(lag_ms // 1000)} behind the newest photo"
    if not photos.is_complete:
        text += f"; the listing ended after {photos.listed_count:,} objects (--all lists all)"
    return text


def _watermark(state: StreamState, zone: tzinfo) -> str:
    checkpoint, text = state.checkpoint, state.checkpoint.watermark or "none yet"
    if checkpoint.watermark and checkpoint.order != NAME_ORDER:
        text = _moment(photo_at(checkpoint.watermark).uploaded_epoch_ms, zone)
    committed = f"commit {checkpoint.generation:,} {_ago(state, state.committed_epoch_ms)}"
    return f"{text}, {counted(len(checkpoint.ahead), 'photo')} committed beyond it; {committed}"


def _lease_ends_epoch_ms(state: StreamState) -> int | None:
    """None if nobody holds the stream: a lease that was given up, or a checkpoint from before there were leases."""
    return state.committed_epoch_ms + state.checkpoint.lease_ms if state.checkpoint.lease_ms else None


def _owner(state: StreamState) -> str:
    ends_epoch_ms = _lease_ends_epoch_ms(state)
    if ends_epoch_ms is None or ends_epoch_ms <= state.looked_epoch_ms:
        return f"none; {state.checkpoint.owner} was the last" if state.checkpoint.owner else "none"
    return f"{state.checkpoint.owner}, for {duration((ends_epoch_ms - state.looked_epoch_ms) // 1000)} more"


def _settings(state: StreamState) -> str:
    stored = state.settings
    if stored.problem:
        return f"PROBLEM: {stored.problem}; those before stay in effect (`timelapse set {state.place} --show`)"
    own = ", ".join(f"{name}={text}" for name, text in sorted(stored.settings.values.items()))
    return own or "none of its own"


def _rejected(state: StreamState) -> str:
    rejected = state.rejected
    if not rejected.count:
        return "0"
    reasons = [f"{reason} {count:,}" for reason, count in rejected.reasons.most_common()]
    if rejected.unread_count:
        reasons.append(f"{rejected.unread_count:,} older records not read (--all reads all)")
    return f"{rejected.count:,}: {', '.join(reasons)}"


def _ignored(state: StreamState) -> str:
    photos = state.photos
    text = ", ".join(f"{reason} {count:,}" for reason, count in photos.ignored.most_common()) or "0"
    if photos.denied:
        return "not known"
    where = f", after {photos.after}" if photos.after else ""
    return f"{text} (of {counted(photos.listed_count, 'object')} listed{where})"


def _summary(state: StreamState) -> str:
    """One line of an overview."""
    photos = state.photos
    parts = [f"{state.checkpoint.frame_count:>9,} frames", f"{state.checkpoint.rejected_count:,} rejected"]
    parts.append("photos cannot be listed" if photos.denied else f"{photos.waiting_count:,} waiting")
    parts.append(f"commit {_ago(state, state.committed_epoch_ms)}")
    return ", ".join(parts)


def _moment(epoch_ms: int, zone: tzinfo) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _ago(state: StreamState, epoch_ms: int) -> str:
    """Clocks differ: a time in the future is now."""
    return f"{duration(max(0, state.looked_epoch_ms - epoch_ms) // 1000)} ago"


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:,.1f} MB"
