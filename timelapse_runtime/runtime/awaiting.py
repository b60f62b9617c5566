"""Runs what async functions return, on one event loop that is kept: connections that belong to it stay open."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


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
