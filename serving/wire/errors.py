"""Refusals of the wire: status, message, type and code, as clients know them.

The texts follow recorded answers of the service; what each status means to the official
clients decides whether they try again (429 and 5xx) or raise at once.
"""

from dataclasses import dataclass, field
from typing import Any, final

from serving.wire.rate_limit_headers import duration_text, retry_after_header

INVALID_REQUEST = "invalid_request_error"
SERVER_ERROR = "internal_server_error"


@final
@dataclass(kw_only=True, eq=False)
class WireError(Exception):
    """Refusal of a request.

    Parameters
    ----------
    status
        HTTP status.
    message, kind, code
        ``message``, ``type`` and ``code`` of the error; without a code it has none.
    param
        Name of the parameter that is wrong, if one is.
    headers
        Headers beside those that every answer has.
    """

    status: int
    message: str
    kind: str = INVALID_REQUEST
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the message."""
        return self.message

    def body(self) -> dict[str, Any]:
        """Return the body of the answer."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Limit that a request meets: its name on the wire, and its size.

    Parameters
    ----------
    kind
        ``tokens`` or ``requests``.
    name
        Name with its abbreviation, as in ``tokens per minute (TPM)``.
    size
        Largest amount.
    """

    kind: str
    name: str
    size: int


def invalid_request(message: str, *, param: str | None = None) -> WireError:
    """Return the refusal of a body that cannot be meant."""
    return WireError(status=400, message=message, param=param)


def context_length_exceeded(needed: int, window: int) -> WireError:
    """Return the refusal of a prompt and answer that the context does not hold."""
    return WireError(
        status=400,
        message=f"Please reduce the length of the messages or completion: {needed} "
        f"tokens are asked for, and the context window is {window}.",
        code="context_length_exceeded",
        param="messages",
    )


def completion_limit_exceeded(name: str, limit: int) -> WireError:
    """Return the refusal of more answer tokens than the model makes."""
    return WireError(
        status=400,
        message=f"`{name}` must be less than or equal to `{limit}`, the maximum value "
        f"for `{name}` is less than the `context_window` for this model",
        param=name,
    )


def invalid_api_key() -> WireError:
    """Return the refusal of a key that is not the one of the endpoint."""
    return WireError(status=401, message="Invalid API Key", code="invalid_api_key")


def model_not_found(model: str, hint: str = "") -> WireError:
    """Return the refusal of a model that is not served, with a hint."""
    told = f"The model `{model}` does not exist or you do not have access to it."
    return WireError(
        status=404,
        message=f"{told} {hint}".strip(),
        code="model_not_found",
    )


def unknown_url(method: str, path: str) -> WireError:
    """Return the refusal of an address that the endpoint does not have."""
    return WireError(
        status=404,
        message=f"Unknown request URL: {method} {path}. Please check the URL for "
        f"typos: /openai/v1 and /v1 have models, chat/completions and completions.",
        code="unknown_url",
    )


def body_too_large(limit_bytes: int) -> WireError:
    """Return the refusal of a body that is longer than the endpoint reads."""
    return WireError(
        status=413,
        message=f"Request Entity Too Large: at most {limit_bytes} bytes are read.",
        code="request_too_large",
    )


def body_timed_out(seconds: float) -> WireError:
    """Return the refusal of a body that did not arrive in time."""
    return WireError(
        status=408, message=f"The body did not arrive within {seconds:g} seconds."
    )


def _place(model: str, tier: str, limit: Limit) -> str:
    return (
        f"model `{model}` in service tier `{tier}` on {limit.name}: Limit {limit.size}"
    )


def request_too_large(model: str, tier: str, limit: Limit, requested: int) -> WireError:
    """Return the refusal of one request that is over a limit by itself."""
    return WireError(
        status=413,
        message=f"Request too large for {_place(model, tier, limit)}, Requested "
        f"{requested}, please reduce your message size and try again.",
        kind=limit.kind,
        code="rate_limit_exceeded",
    )


def rate_limited(
    model: str, tier: str, limit: Limit, *, used: int, requested: int, wait_s: float
) -> WireError:
    """Return the refusal of a request that is over a limit with those before it.

    Parameters
    ----------
    model, tier
        Model and service tier of the request.
    limit
        Limit that is met.
    used, requested
        Amount that is used, and amount that the request needs.
    wait_s
        Seconds until the request would be accepted.
    """
    return WireError(
        status=429,
        message=f"Rate limit reached for {_place(model, tier, limit)}, Used {used}, "
        f"Requested {requested}. Please try again in {duration_text(wait_s)}.",
        kind=limit.kind,
        code="rate_limit_exceeded",
        headers=retry_after_header(wait_s),
    )


def capacity_exceeded() -> WireError:
    """Return the refusal of a request of the flex tier while every slot is taken."""
    return WireError(
        status=498,
        message="Flex tier capacity exceeded: every slot is taken. Please try again "
        "later, or use the on_demand tier.",
        kind=SERVER_ERROR,
        code="capacity_exceeded",
    )


def over_capacity(model: str, waiting: int) -> WireError:
    """Return the refusal of a request that finds the queue full."""
    return WireError(
        status=503,
        message=f"{model} is currently over capacity: {waiting} requests wait. Please "
        f"try again and back off exponentially.",
        kind=SERVER_ERROR,
    )


def shutting_down() -> WireError:
    """Return the refusal of a request while the endpoint shuts down."""
    return WireError(
        status=503,
        message="The endpoint is shutting down.",
        kind=SERVER_ERROR,
        code="shutting_down",
    )


def server_fault() -> WireError:
    """Return the answer to a request that met a fault of the server."""
    return WireError(status=500, message="Internal Server Error", kind=SERVER_ERROR)
