"""The local environment's reader of chunked bodies, against h11's framing and against damage."""

from __future__ import annotations

import io

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from timelapse_runtime.emulator.chunked_body import TRAILER_LIMIT_BYTES, ChunkedBody, read_chunked

NO_LIMIT = 1 << 40


def framed(chunks: list[bytes], trailers: dict[str, str]) -> bytes:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")]))
    sent = [connection.send(h11.Data(data=chunk)) or b"" for chunk in chunks]
    return b"".join([*sent, connection.send(h11.EndOfMessage(headers=list(trailers.items()))) or b""])


@given(st.lists(st.binary(min_size=1)), st.dictionaries(st.sampled_from(["X-A", "X-B"]), st.text("ab c", max_size=9)))
def test_what_h11_frames_is_read_back(chunks: list[bytes], trailers: dict[str, str]) -> None:
    trailers = {name: value.strip() for name, value in trailers.items()}
    file = io.BytesIO(framed(chunks, trailers) + b"next request")
    body = read_chunked(file, "X-A, x-b", NO_LIMIT)
    names = {name.lower(): value for name, value in trailers.items()}
    assert body == ChunkedBody(tuple(chunks), sum(map(len, chunks)), True, names)
    assert file.read() == b"next request"


@given(st.lists(st.binary(min_size=1), min_size=1), st.data())
def test_a_body_that_is_cut_off_is_not_complete(chunks: list[bytes], data: st.DataObject) -> None:
    whole = framed(chunks, {"X-A": "1"})
    size_bytes = data.draw(st.integers(0, len(whole) - 1))
    body = read_chunked(io.BytesIO(whole[:size_bytes]), "X-A", NO_LIMIT)
    assert not body.is_complete
    assert b"".join(chunks).startswith(b"".join(body.chunks))


def test_a_trailer_that_was_not_announced_does_not_count() -> None:
    assert read_chunked(io.BytesIO(framed([b"a"], {"X-A": "1", "X-B": "2"})), "X-B", NO_LIMIT).trailers == {"x-b": "2"}


@pytest.mark.parametrize("excess_bytes", [0, 1])
def test_trailers_over_the_limit_are_no_end(excess_bytes: int) -> None:
    value = "x" * (TRAILER_LIMIT_BYTES - len("X-A: \r\n\r\n") + excess_bytes)
    assert read_chunked(io.BytesIO(framed([], {"X-A": value})), "X-A", NO_LIMIT).is_complete is not bool(excess_bytes)


def test_what_is_over_the_limit_is_counted_and_not_kept() -> None:
    body = read_chunked(io.BytesIO(framed([b"ab", b"cd", b"ef"], {})), "", 4)
    assert (body.chunks, body.size_bytes, body.is_complete) == ((b"ab", b"cd"), 6, True)


@pytest.mark.parametrize("raw", [b"", b"z\r\n", b"-1\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"0\r\nX-A: 1"])
def test_damage_is_no_end(raw: bytes) -> None:
    assert not read_chunked(io.BytesIO(raw), "", NO_LIMIT).is_complete
