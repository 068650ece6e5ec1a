"""Clients of an endpoint in the same process: no socket, no port.

The application runs on an event loop of its own in a thread; the official clients, in
both kinds, reach it through an httpx transport. So they work in scripts, in tests, and
in notebooks whose own loop is running::

    with InProcessEndpoint(endpoint) as here:
        client = here.groq()
        client.chat.completions.create(...)

With the clock ``instant``, an answer's frame is made when the client reads it, so that
`SimulatedTime` tells a client's own stopwatch the time on the simulated machine.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self, TypeVar, final

import httpx
from starlette.types import Scope

from serving.endpoint.application import make_application
from serving.endpoint.clock import InstantClock
from serving.endpoint.endpoint import Endpoint
from serving.endpoint.in_process import InProcessExchange

if TYPE_CHECKING:
    from groq import AsyncGroq, Groq
    from openai import AsyncOpenAI, OpenAI

_HOST = "http://endpoint.invalid"
_PS_PER_S = 10**12
T = TypeVar("T")


def _scope(request: httpx.Request) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.partition(b"?")[0],
        "query_string": request.url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }


@final
class InProcessEndpoint:
    """Endpoint on an event loop of its own; a context manager that ends it.

    Parameters
    ----------
    endpoint
        The endpoint.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._application = make_application(endpoint)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="groqrack endpoint", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """Return this endpoint, which runs."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the endpoint."""
        self.close()

    def close(self) -> None:
        """Stop the endpoint: answers in flight end, or are stopped."""
        if self._loop.is_closed():
            return
        self.submit(self.endpoint.drain()).result()
        self.submit(_cancel_others()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        """Run a coroutine on the loop of the endpoint."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def open(self, request: httpx.Request, content: bytes) -> InProcessExchange:
        """Return a request that the application works on; runs on its loop."""
        return InProcessExchange(self._application, _scope(request), content)

    def groq(self, **options: Any) -> "Groq":
        """Return a ``groq.Groq`` on this endpoint; options are its own."""
        from groq import Groq  # noqa: PLC0415 - large, and one of two

        client = httpx.Client(transport=SyncTransport(self))
        given = {"api_key": "any", "base_url": _HOST, **options}
        return Groq(http_client=client, **given)

    def async_groq(self, **options: Any) -> "AsyncGroq":
        """Return a ``groq.AsyncGroq`` on this endpoint; options are its own."""
        from groq import AsyncGroq  # noqa: PLC0415 - large, and one of two

        client = httpx.AsyncClient(transport=AsyncTransport(self))
        given = {"api_key": "any", "base_url": _HOST, **options}
        return AsyncGroq(http_client=client, **given)

    def openai(self, **options: Any) -> "OpenAI":
        """Return an ``openai.OpenAI`` on this endpoint; options are its own."""
        from openai import OpenAI  # noqa: PLC0415 - large, and one of two

        # The client takes httpx too, though its types name only its successor.
        client: Any = httpx.Client(transport=SyncTransport(self))
        given = {"api_key": "any", "base_url": f"{_HOST}/v1", **options}
        return OpenAI(http_client=client, **given)

    def async_openai(self, **options: Any) -> "AsyncOpenAI":
        """Return an ``openai.AsyncOpenAI`` on this endpoint; options are its own."""
        from openai import AsyncOpenAI  # noqa: PLC0415 - large, and one of two

        client: Any = httpx.AsyncClient(transport=AsyncTransport(self))
        given = {"api_key": "any", "base_url": f"{_HOST}/v1", **options}
        return AsyncOpenAI(http_client=client, **given)


async def _cancel_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@final
class _SyncParts(httpx.SyncByteStream):
    """Parts of an answer for a client that waits for each."""

    def __init__(self, here: InProcessEndpoint, exchange: InProcessExchange) -> None:
        self._here, self._exchange = here, exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            while coming := self._here.submit(self._exchange.part()).result():
                yield coming
        except EOFError as cut:
            raise httpx.RemoteProtocolError(str(cut)) from None

    def close(self) -> None:
        self._here.submit(self._exchange.close()).result()


@final
class _AsyncParts(httpx.AsyncByteStream):
    """Parts of an answer for a client with an event loop of its own."""

    def __init__(self, here: InProcessEndpoint, exchange: InProcessExchange) -> None:
        self._here, self._exchange = here, exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while part := await asyncio.wrap_future(
                self._here.submit(self._exchange.part())
            ):
                yield part
        except EOFError as cut:
            raise httpx.RemoteProtocolError(str(cut)) from None

    async def aclose(self) -> None:
        await asyncio.wrap_future(self._here.submit(self._exchange.close()))


@final
class SyncTransport(httpx.BaseTransport):
    """Transport of ``httpx.Client`` to an endpoint in the same process.

    Parameters
    ----------
    here
        The endpoint.
    """

    def __init__(self, here: InProcessEndpoint) -> None:
        self._here = here

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to a request; its body is read later."""
        opening = self._here.open(request, request.read())
        exchange = self._here.submit(opening).result()
        start = self._here.submit(exchange.start()).result()
        return httpx.Response(
            start["status"],
            headers=start["headers"],
            stream=_SyncParts(self._here, exchange),
        )


@final
class AsyncTransport(httpx.AsyncBaseTransport):
    """Transport of ``httpx.AsyncClient`` to an endpoint in the same process.

    Parameters
    ----------
    here
        The endpoint.
    """

    def __init__(self, here: InProcessEndpoint) -> None:
        self._here = here

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer to a request; its body is read later."""
        opening = self._here.open(request, await request.aread())
        exchange = await asyncio.wrap_future(self._here.submit(opening))
        try:
            start = await asyncio.wrap_future(self._here.submit(exchange.start()))
        except asyncio.CancelledError:
            self._here.submit(exchange.close())
            raise
        return httpx.Response(
            start["status"],
            headers=start["headers"],
            stream=_AsyncParts(self._here, exchange),
        )


@final
class SimulatedTime:
    """Stand-in for the module ``time`` that tells and passes simulated time.

    Parameters
    ----------
    endpoint
        An endpoint whose clock is ``instant``.

    Raises
    ------
    ValueError
        If its clock is another one.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        if not isinstance(endpoint.clock, InstantClock):
            raise ValueError(
                f"clock {endpoint.settings.clock} passes by itself; use instant"
            )
        self._clock = endpoint.clock

    def perf_counter(self) -> float:
        """Return simulated seconds, without those in which the endpoint was idle."""
        return self._clock.stopwatch_ps() / _PS_PER_S

    time = monotonic = perf_counter

    def sleep(self, seconds: float) -> None:
        """Let simulated seconds pass."""
        self._clock.skip(seconds)
