"""The segments of a selection, read ahead of their use in threads, within a bound of memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from timelapse_runtime.export.selection import Piece
from timelapse_runtime.export.stream_reader import StreamReader

_THREADS = 4
"""As many as the client has connections."""
_AHEAD_BYTES = 16 * 1024**2


def fetch_segments(reader: StreamReader, pieces: Sequence[Piece]) -> Iterator[tuple[Piece, bytes]]:
    """Each piece with its whole segment, in order. Raises StorageError.

    Segments of at most _AHEAD_BYTES in all, and at least one, are read before they are asked for.
    """
    waiting = deque[tuple[Piece, Future[bytes]]]()
    ahead_bytes, left = 0, deque(pieces)
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            while left or waiting:
                while left and (not waiting or ahead_bytes + left[0].segment.size_bytes <= _AHEAD_BYTES):
                    piece = left.popleft()
                    waiting.append((piece, pool.submit(reader.segment, piece.reel, piece.position)))
                    ahead_bytes += piece.segment.size_bytes
                piece, future = waiting.popleft()
                body = future.result()
                ahead_bytes -= piece.segment.size_bytes
                yield piece, body
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
