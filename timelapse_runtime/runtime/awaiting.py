"""Runs what async functions return, on one event loop that is kept: connections that belong to it stay open."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

logger = logging.getLogger("timelapse_runtime.runtime.awaiting")


class Awaiting:
    """The loop is made for the first awaitable: asyncio costs 20 ms of a start, which others do not pay."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def result(self, value: Any) -> Any:
        """`value`, or what it gives if it is awaitable. Raises what it raises.

        If it is interrupted (`interrupts.py`) while it waits, it is cancelled, so that no part of it runs in a later
        invocation.
        """
        if not inspect.isawaitable(value):
            return value
        import asyncio  # noqa: PLC0415

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        task = asyncio.ensure_future(value, loop=self._loop)
        try:
            return self._loop.run_until_complete(task)
        except BaseException:
            if not task.done():  # interrupted in the loop itself
                task.cancel()
                self._loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            raise

    def each(self, values: Iterable[T] | AsyncIterable[T], take: Callable[[T], None]) -> None:
        """Give each value to `take`, one after another, and close `values`. Raises what they or `take` raise.

        All values of an async iterable come from one task: what it opens around a `yield` (a time-out, a cancel scope)
        is closed by the task that opened it. While `take` blocks, so does the event loop.
        """
        if isinstance(values, AsyncIterable):
            self.result(_each(values, take))
            return
        try:
            for value in values:
                take(value)
        except BaseException:
            try:
                _close(values)
            except Exception:
                logger.exception("A stream was not closed after an error")
            raise
        _close(values)


def _close(values: object) -> None:
    close = getattr(values, "close", None)
    if callable(close):
        close()


async def _each(values: AsyncIterable[T], take: Callable[[T], None]) -> None:
    close = getattr(values, "aclose", None)
    try:
        async for value in values:
            take(value)
    except BaseException:
        try:
            if close is not None:
                await close()
        except Exception:
            logger.exception("A stream was not closed after an error")
        raise
    if close is not None:
        await close()
