"""Reads a request's body in chunks, with its trailers (RFC 9112, 7.1), as Lambda's side of a streamed response does.

Apart from the runtime's framing (h11) on purpose: the two judge each other. It is as strict as Go's HTTP server, in
which AWS's emulator is written: a trailer counts if the head announced it (`Trailer`), and longer trailers than 4,096
bytes make the request one that was cut off.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

_LINE_LIMIT_BYTES = 128
TRAILER_LIMIT_BYTES = 4096


class Readable(Protocol):
    """What is needed of a file."""

    def read(self, size: int, /) -> bytes:
        """As `io.BufferedIOBase.read`."""
        ...

    def readline(self, size: int, /) -> bytes:
        """As `io.BufferedIOBase.readline`."""
        ...


@dataclass(frozen=True, slots=True)
class ChunkedBody:
    """What was read. `is_complete` is False if the end is missing or wrong. Trailer names are in lower case.

    `size_bytes` counts what came; `chunks` have no more than the limit.
    """

    chunks: tuple[bytes, ...]
    size_bytes: int
    is_complete: bool
    trailers: Mapping[str, str] = field(default_factory=dict)


def read_chunked(file: Readable, announced: str, limit_bytes: int) -> ChunkedBody:
    """Read to the end of the body. `announced` is the head's field `Trailer`."""
    chunks, size_bytes = list[bytes](), 0
    try:
        while chunk_bytes := int(file.readline(_LINE_LIMIT_BYTES).split(b";")[0], 16):
            chunk = file.read(chunk_bytes)
            if len(chunk) < chunk_bytes or file.readline(2) != b"\r\n":
                return ChunkedBody((*chunks, chunk), size_bytes + len(chunk), False)
            size_bytes += chunk_bytes
            if size_bytes <= limit_bytes:
                chunks.append(chunk)
        trailers = _read_trailers(file)
    except (ValueError, OSError):
        return ChunkedBody(tuple(chunks), size_bytes, False)
    if trailers is None:
        return ChunkedBody(tuple(chunks), size_bytes, False)
    names = {name.strip().lower() for name in announced.split(",")}
    return ChunkedBody(
        tuple(chunks), size_bytes, True, {name: value for name, value in trailers.items() if name in names}
    )


def _read_trailers(file: Readable) -> dict[str, str] | None:
    section = b""
    while not section.endswith(b"\r\n\r\n") and section != b"\r\n":
        line = file.readline(TRAILER_LIMIT_BYTES)
        section += line
        if not line or len(section) > TRAILER_LIMIT_BYTES:
            return None
    return {name.lower(): value for name, value in http.client.parse_headers(io.BytesIO(section)).items()}
