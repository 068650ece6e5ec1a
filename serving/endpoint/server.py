"""Server: the process that serves an endpoint on the loopback interface.

SIGTERM and SIGINT drain it: new requests are refused, answers in flight end, and after
a while those that are left are stopped, oldest first, with an error that clients read.
A second signal stops at once.
"""

import asyncio
import logging
import socket
from types import FrameType
from typing import final

import uvicorn

from serving.endpoint.application import make_application
from serving.endpoint.endpoint import Endpoint
from serving.endpoint.request_log import ServerEvents, log_event
from specs.errors import OutputError

HOST = "127.0.0.1"
# Connections in the queue of the system, and open ones; more are refused.
_BACKLOG, _MOST_CONNECTIONS = 512, 8192
# Seconds that open connections have after the last answer.
_GRACE_S = 2
# Seconds that an idle connection is kept: longer than clients keep theirs, or a client
# sends its next request into a connection that is being closed.
_KEEP_ALIVE_S = 75


@final
class _Server(uvicorn.Server):
    """Uvicorn whose signals drain an endpoint first."""

    def __init__(self, config: uvicorn.Config, endpoint: Endpoint) -> None:
        super().__init__(config)
        self._endpoint = endpoint
        self._draining: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal; stop at the second."""
        del sig, frame
        if self._endpoint.draining or self._loop is None:
            self.force_exit = self.should_exit = True
            return
        self._endpoint.draining = True
        self._loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        async def drain() -> None:
            await self._endpoint.drain()
            self.should_exit = True

        self._draining = asyncio.ensure_future(drain())


def listening_socket(port: int) -> socket.socket:
    """Return a listening socket of the loopback interface; port 0 takes a free one.

    Raises
    ------
    OutputError
        If the port is taken or not allowed.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise OutputError(
            f"--port {port}: {HOST}:{port} cannot be listened on: {error.strerror}; "
            f"use another port, or 0 for any that is free"
        ) from None
    return listening


def serve(endpoint: Endpoint, listening: socket.socket) -> None:
    """Serve an endpoint until a signal stops it.

    Parameters
    ----------
    endpoint
        The endpoint.
    listening
        Socket that listens.
    """
    reports = logging.getLogger("uvicorn")
    reports.handlers[:] = [ServerEvents(logging.WARNING)]
    reports.propagate = False
    config = uvicorn.Config(
        make_application(endpoint),
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )
    host, port = listening.getsockname()
    log_event(
        "listening",
        groq_base_url=f"http://{host}:{port}",
        openai_base_url=f"http://{host}:{port}/v1",
        models=[name for each in endpoint.deployments for name in each.names],
        clock=endpoint.settings.clock,
    )
    _Server(config, endpoint).run(sockets=[listening])
    log_event("stopped")
