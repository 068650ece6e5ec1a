"""ASGI application of an endpoint, under ``/openai/v1`` and ``/v1``."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving.endpoint.endpoint import Endpoint
from serving.endpoint.request_log import log_event
from serving.endpoint.watched_answer import WatchedAnswer
from serving.wire.chat_request import ChatRequest
from serving.wire.completion_request import CompletionRequest
from serving.wire.errors import (
    WireError,
    body_timed_out,
    body_too_large,
    server_fault,
    unknown_url,
)
from serving.wire.model_list import model_list
from serving.wire.request_body import RequestBody, read_body

_PREFIXES = ("/openai/v1", "/v1")
# A client that has gone reads no answer; proxies log this status for it.
_CLIENT_GONE = 499
_Handler: TypeAlias = Callable[["Exchange"], Awaitable[Response]]


class Exchange:
    """One request to the endpoint, from its first line to its refusal or answer.

    Parameters
    ----------
    endpoint
        The endpoint.
    request
        The request.
    """

    def __init__(self, endpoint: Endpoint, request: Request) -> None:
        self.endpoint, self.request = endpoint, request
        self.request_id = endpoint.request_id()
        self.organisation = ""
        self.model = endpoint.deployments[0].names[0]

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer has."""
        return self.endpoint.headers(self.organisation, self.model, self.request_id)

    def identify(self) -> None:
        """Read the key of the request.

        Raises
        ------
        WireError
            If it is not the one of the endpoint.
        """
        authorization = self.request.headers.get("authorization", "")
        self.organisation = self.endpoint.organisation(authorization)

    async def content(self) -> bytes:
        """Return the body of the request.

        Raises
        ------
        WireError
            If it is too long, or does not arrive in time.
        """
        most = self.endpoint.settings.most_body_bytes
        content = bytearray()
        try:
            async with asyncio.timeout(self.endpoint.settings.body_s):
                async for part in self.request.stream():
                    content += part
                    if len(content) > most:
                        raise body_too_large(most)
        except TimeoutError:
            raise body_timed_out(self.endpoint.settings.body_s) from None
        return bytes(content)

    def refused(self, error: WireError) -> Response:
        """Return the answer to a request that is refused."""
        log_event(
            "refused",
            request_id=self.request_id,
            path=self.request.url.path[:256],
            status=error.status,
            code=error.code,
            message=error.message[:256],
        )
        headers = {**self.headers(), **error.headers}
        if error.status == body_too_large(0).status:
            # What is left of a body that was not read cannot be told from a request.
            headers["connection"] = "close"
        return JSONResponse(error.body(), error.status, headers)


async def _completion(exchange: Exchange, *, chat: bool) -> Response:
    """Answer a request for a completion."""
    exchange.identify()
    endpoint = exchange.endpoint
    content = await exchange.content()
    kind: type[RequestBody] = ChatRequest if chat else CompletionRequest
    body = read_body(kind, content)
    body.check()
    exchange.model = endpoint.deployment(body.model).names[0]
    completion = endpoint.admit(
        body, exchange.organisation, exchange.request_id, chat=chat
    )
    return WatchedAnswer(
        completion,
        exchange.headers,
        lambda made: endpoint.ended(completion, exchange.organisation, made),
        stream=bool(body.stream),
    )


async def _chat(exchange: Exchange) -> Response:
    return await _completion(exchange, chat=True)


async def _text(exchange: Exchange) -> Response:
    return await _completion(exchange, chat=False)


async def _models(exchange: Exchange) -> Response:
    """List the models, under all of their names."""
    exchange.identify()
    endpoint = exchange.endpoint
    listed = [
        model
        for deployment in endpoint.deployments
        for model in deployment.listed(endpoint.created_s)
    ]
    return JSONResponse(model_list(listed), headers=exchange.headers())


async def _model(exchange: Exchange) -> Response:
    """Describe one model."""
    exchange.identify()
    name = exchange.request.path_params["name"]
    listed = exchange.endpoint.deployment(name).listed(exchange.endpoint.created_s)
    (body,) = [model.body() for model in listed if model.name == name]
    return JSONResponse(body, headers=exchange.headers())


async def _health(exchange: Exchange) -> Response:
    """Say whether the endpoint takes requests."""
    if exchange.endpoint.draining:
        return JSONResponse({"status": "draining"}, 503)
    return JSONResponse({"status": "ok"})


async def _metrics(exchange: Exchange) -> Response:
    """Tell the metrics of every model."""
    texts = []
    for deployment in exchange.endpoint.deployments:
        running, waiting = deployment.counts(exchange.endpoint.clock.now_ps())
        texts.append(
            deployment.metrics.text(
                deployment.names[0],
                running=running,
                waiting=waiting,
                slots=deployment.slots,
            )
        )
    kind = "text/plain; version=0.0.4"
    return PlainTextResponse("".join(texts), media_type=kind)


async def _unknown(exchange: Exchange) -> Response:
    """Refuse an address that the endpoint does not have."""
    raise unknown_url(exchange.request.method, exchange.request.url.path[:256])


def make_application(endpoint: Endpoint) -> Starlette:
    """Return the ASGI application of an endpoint."""

    def handled(handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            exchange = Exchange(endpoint, request)
            try:
                return await handler(exchange)
            except WireError as error:
                return exchange.refused(error)
            except ClientDisconnect:
                return Response(status_code=_CLIENT_GONE)
            except Exception:  # A defect of ours must not end the endpoint.
                log_event("fault", traceback=traceback.format_exc())
                return exchange.refused(server_fault())

        return handle

    async def not_found(request: Request, _: Exception) -> Response:
        return await handled(_unknown)(request)

    routes = [
        Route("/health", handled(_health)),
        Route("/metrics", handled(_metrics)),
    ]
    for prefix in _PREFIXES:
        routes += [
            Route(f"{prefix}/models", handled(_models)),
            Route(f"{prefix}/models/{{name:path}}", handled(_model)),
            Route(f"{prefix}/chat/completions", handled(_chat), methods=["POST"]),
            Route(f"{prefix}/completions", handled(_text), methods=["POST"]),
        ]
    application = Starlette(
        routes=routes, exception_handlers={404: not_found, 405: not_found}
    )
    application.state.endpoint = endpoint
    return application
