import pytest

from serving.wire.errors import (
    Limit,
    WireError,
    body_timed_out,
    body_too_large,
    capacity_exceeded,
    completion_limit_exceeded,
    context_length_exceeded,
    invalid_api_key,
    invalid_request,
    model_not_found,
    over_capacity,
    rate_limited,
    request_too_large,
    server_fault,
    shutting_down,
    unknown_url,
)

TOKENS = Limit(kind="tokens", name="tokens per minute (TPM)", size=6000)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (invalid_request("no"), 400, "invalid_request_error", None),
        (context_length_exceeded(9, 8), 400, None, "context_length_exceeded"),
        (completion_limit_exceeded("max_tokens", 8), 400, None, None),
        (invalid_api_key(), 401, None, "invalid_api_key"),
        (model_not_found("x"), 404, None, "model_not_found"),
        (unknown_url("GET", "/x"), 404, None, "unknown_url"),
        (body_timed_out(30), 408, None, None),
        (body_too_large(8), 413, None, "request_too_large"),
        (server_fault(), 500, "internal_server_error", None),
        (over_capacity("m", 3), 503, "internal_server_error", None),
        (shutting_down(), 503, "internal_server_error", "shutting_down"),
        (capacity_exceeded(), 498, None, "capacity_exceeded"),
    ],
)
def test_a_refusal_has_the_status_and_code_of_the_wire(
    error: WireError, status: int, kind: str | None, code: str | None
) -> None:
    told = error.body()["error"]
    assert error.status == status
    assert told["type"] == kind or kind is None
    assert told.get("code") == code
    assert told["message"]


def test_a_limit_is_told_as_the_service_tells_it() -> None:
    error = rate_limited(
        "m", "on_demand", TOKENS, used=5034, requested=1443, wait_s=4.77
    )
    assert error.body()["error"] == {
        "message": "Rate limit reached for model `m` in service tier `on_demand` on "
        "tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443. Please try "
        "again in 4.77s.",
        "type": "tokens",
        "code": "rate_limit_exceeded",
    }
    assert error.status == 429
    assert error.headers == {"retry-after": "5"}


def test_a_request_over_a_limit_by_itself_is_not_to_be_tried_again() -> None:
    error = request_too_large("m", "on_demand", TOKENS, 9265)
    assert error.status == 413
    assert error.kind == "tokens"
    assert "Limit 6000, Requested 9265, please reduce" in error.message
    assert "retry-after" not in error.headers
