"""An HTTP server that counts its connections and can close them. One thread, in which an event loop runs."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import Self


class Upstream:
    """Runs during the `with` block. It answers each path with itself, and `/hang` never."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.connection_count = 0
        self._context = context
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        started = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context), self._loop
        )
        self._server = started.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Where it is."""
        scheme = "https" if self._context else "http"
        return f"{scheme}://localhost:{self._server.sockets[0].getsockname()[1]}"

    @property
    def open_count(self) -> int:
        """The connections that are open now."""
        return len(self._open)

    def close_connections(self) -> None:
        """Close those that are open."""
        asyncio.run_coroutine_threadsafe(self._close_all(), self._loop).result(10)

    async def _stop(self) -> None:
        self._server.close()
        await self._close_all()
        served = asyncio.all_tasks() - {asyncio.current_task()}
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)

    async def _close_all(self) -> None:
        for writer in list(self._open):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection_count += 1
        self._open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ")[1]
                if path == b"/hang":
                    await asyncio.Event().wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client has closed it
        finally:
            self._open.discard(writer)
            writer.close()
