"""Watched answers: sent while their client is there, and until the endpoint stops."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving.endpoint.completion import Completion
from serving.wire.errors import shutting_down
from serving.wire.frames import error_frame

_JSON = "application/json"
COMPLETED, VANISHED, STOPPED, CUT = "completed", "vanished", "stopped", "cut"


async def _vanished(receive: Receive) -> None:
    """Wait until the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def watched(
    work: Coroutine[Any, Any, None], receive: Receive, stopped: asyncio.Event
) -> str:
    """Do a work until it is done, the client vanishes, or the endpoint stops.

    Returns
    -------
    str
        Which of them it was: `COMPLETED`, `VANISHED` or `STOPPED`.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_vanished(receive))
    stopping = asyncio.ensure_future(stopped.wait())
    tasks = [working, watching, stopping]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
            return COMPLETED
        return VANISHED if watching.done() else STOPPED
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@final
class WatchedAnswer(Response):
    """Answer to a completion, streamed frame by frame or sent whole.

    Parameters
    ----------
    completion
        The request.
    headers
        Headers of the answer, when it is sent.
    on_end
        Called with the tokens that were made, however the answer ends.
    stream
        Whether it is streamed.
    """

    def __init__(
        self,
        completion: Completion,
        headers: Callable[[], Mapping[str, str]],
        on_end: Callable[[int], None],
        *,
        stream: bool,
    ) -> None:
        super().__init__()
        self._started = False
        self._completion, self._stream = completion, stream
        self._make_headers, self._on_end = headers, on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, and end the completion however that goes."""
        del scope
        completion = self._completion
        outcome = VANISHED
        sending = self._send_frames(send) if self._stream else self._send_whole(send)
        try:
            outcome = await watched(sending, receive, completion.stopped)
            if outcome == STOPPED:
                await self._send_stop(send)
            elif completion.cut_after is not None and outcome == COMPLETED:
                outcome = CUT
        except OSError:
            outcome = VANISHED
        finally:
            self._on_end(completion.end(outcome, stream=self._stream))

    async def _start(self, send: Send, status: int, kind: str, length: int = 0) -> None:
        """Send status and headers; a length of 0 is not told."""
        headers = {"content-type": kind, **self._make_headers()}
        if length:
            headers["content-length"] = str(length)
        self._started = True
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})

    async def _send_frames(self, send: Send) -> None:
        """Send a stream; one that is cut on purpose has no end."""
        await self._completion.admitted()
        await self._start(send, 200, "text/event-stream; charset=utf-8")
        async for frame in self._completion.frames():
            await _send(send, frame, more=True)
        if self._completion.cut_after is None:
            await _send(send, b"", more=False)

    async def _send_whole(self, send: Send) -> None:
        """Send an answer at once; one that is cut on purpose lacks its second half."""
        content = _json(await self._completion.whole())
        cut = self._completion.cut_after is not None
        await self._start(send, 200, _JSON, len(content))
        part = content[: len(content) // 2] if cut else content
        await _send(send, part, more=cut)

    async def _send_stop(self, send: Send) -> None:
        """Tell the client that the endpoint stops before the answer is whole."""
        error = shutting_down()
        if self._started:
            await _send(send, error_frame(error), more=False)
            return
        content = _json(error.body())
        await self._start(send, error.status, _JSON, len(content))
        await _send(send, content, more=False)


def _json(body: dict[str, Any]) -> bytes:
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


async def _send(send: Send, content: bytes, *, more: bool) -> None:
    await send({"type": "http.response.body", "body": content, "more_body": more})
