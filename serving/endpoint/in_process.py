"""In-process exchange: one request through the application without a socket."""

import asyncio
from typing import final

from starlette.types import ASGIApp, Message, Scope


@final
class InProcessExchange:
    """One request through the application, read part by part.

    The application goes on after a part when the next one is asked for.
    """

    def __init__(self, application: ASGIApp, scope: Scope, content: bytes) -> None:
        self._content: bytes | None = content
        self._start: asyncio.Future[Message] = asyncio.Future()
        self._parts: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._wanted = asyncio.Semaphore(0)
        self._gone = asyncio.Event()
        self._first, self._whole = True, False
        self._task = asyncio.ensure_future(
            application(scope, self._receive, self._send)
        )
        self._task.add_done_callback(self._done)

    async def start(self) -> Message:
        """Return status and headers."""
        return await self._start

    async def part(self) -> bytes | None:
        """Return the next part of the body, or none at its end.

        Raises
        ------
        EOFError
            If the answer ends before it is whole.
        """
        if not self._first:
            self._wanted.release()
        self._first = False
        part = await self._parts.get()
        if part is None and not self._whole:
            raise EOFError("the endpoint cut the answer")
        return part

    async def close(self) -> None:
        """Tell the application that the client has gone."""
        self._gone.set()
        self._wanted.release()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _receive(self) -> Message:
        if self._content is not None:
            content, self._content = self._content, None
            return {"type": "http.request", "body": content, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start.set_result(message)
            return
        if content := message.get("body", b""):
            self._parts.put_nowait(bytes(content))
        if message.get("more_body", False):
            await self._wanted.acquire()
        else:
            self._whole = True

    def _done(self, task: "asyncio.Task[None]") -> None:
        failed = None if task.cancelled() else task.exception()
        if not self._start.done():
            fault = failed or EOFError("the endpoint sent no answer")
            self._start.set_exception(fault)
        self._parts.put_nowait(None)
