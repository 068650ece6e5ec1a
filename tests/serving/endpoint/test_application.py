"""The application as any HTTP client meets it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from serving.client import InProcessEndpoint, SyncTransport
from serving.endpoint.application import make_application
from serving.fleet.limits import Limits
from tests.serving.endpoints import HELLO, make_endpoint

CHAT = {"model": "m", "messages": HELLO, "max_tokens": 5}


@pytest.fixture
def here() -> Iterator[InProcessEndpoint]:
    with InProcessEndpoint(make_endpoint("m", "m:fast", most_body_bytes=10_000)) as it:
        yield it


@pytest.fixture
def client(here: InProcessEndpoint) -> Iterator[httpx.Client]:
    transport = SyncTransport(here)
    with httpx.Client(transport=transport, base_url="http://here") as it:
        yield it


def error_of(answer: httpx.Response) -> dict[str, Any]:
    told: dict[str, Any] = answer.json()["error"]
    return told


@pytest.mark.parametrize("prefix", ["/openai/v1", "/v1"])
def test_both_prefixes_are_mounted(client: httpx.Client, prefix: str) -> None:
    assert client.post(f"{prefix}/chat/completions", json=CHAT).status_code == 200
    text = {"model": "m", "prompt": "Hello"}
    assert client.post(f"{prefix}/completions", json=text).status_code == 200
    listed = client.get(f"{prefix}/models").json()["data"]
    assert [model["id"] for model in listed] == ["m", "m:fast"]
    assert client.get(f"{prefix}/models/m:fast").json() == listed[1]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1"),
        ("GET", "/v1/chat/completions"),
        ("POST", "/v1/models"),
        ("POST", "/v1/embeddings"),
        ("DELETE", "/health"),
    ],
)
def test_all_else_is_an_unknown_address(
    client: httpx.Client, method: str, path: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == 404
    told = error_of(answer)
    assert told["code"] == "unknown_url"
    assert told["message"].startswith(f"Unknown request URL: {method} {path}.")


def test_frames_of_a_stream_are_in_order_and_nothing_else(
    client: httpx.Client,
) -> None:
    asked = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    answer = client.post("/v1/chat/completions", json=asked)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *frames, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    bodies = [json.loads(frame.removeprefix("data: ")) for frame in frames]
    deltas = [body["choices"][0]["delta"] for body in bodies[:-1]]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert [list(delta) for delta in deltas[1:-1]] == [["content"]] * 5
    assert deltas[-1] == {}
    assert bodies[-1]["choices"] == []
    assert "usage" in bodies[-2]
    assert not any("usage" in body for body in bodies[:-2])


def test_headers_stand_on_answers_and_on_refusals(client: httpx.Client) -> None:
    answers = [
        client.post("/v1/chat/completions", json=CHAT),
        client.post("/v1/chat/completions", json={}),
        client.get("/v1/models"),
        client.get("/nowhere"),
    ]
    assert [answer.status_code for answer in answers] == [200, 400, 200, 404]
    for answer in answers:
        assert answer.headers["x-request-id"].startswith("req_")
        assert answer.headers["x-ratelimit-limit-requests"] == "1000000000"
    assert len({answer.headers["x-request-id"] for answer in answers}) == 4


def test_limits_are_counted_in_the_headers() -> None:
    endpoint = make_endpoint(limits=Limits(rpd=10, tpm=6000))
    with (
        InProcessEndpoint(endpoint) as here,
        httpx.Client(transport=SyncTransport(here), base_url="http://here") as client,
    ):
        for left in (9, 8):
            answer = client.post("/v1/chat/completions", json=CHAT)
            assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        # 11 tokens of the prompt and 5 of the answer, at least one of them drained.
        left_tokens = int(answer.headers["x-ratelimit-remaining-tokens"])
        assert 6000 - 2 * 16 <= left_tokens < 6000
        assert answer.headers["x-ratelimit-reset-requests"].startswith("4h47m")


def test_a_body_that_is_too_long_is_not_read(client: httpx.Client) -> None:
    long = json.dumps({**CHAT, "user": "x" * 10_001})
    answer = client.post("/v1/chat/completions", content=long)
    assert answer.status_code == 413
    assert error_of(answer)["code"] == "request_too_large"


def test_a_context_that_is_too_long_is_told(client: httpx.Client) -> None:
    answer = client.post("/v1/chat/completions", json={**CHAT, "max_tokens": 4090})
    assert answer.status_code == 400
    assert error_of(answer)["code"] == "context_length_exceeded"


def test_metrics_count_requests_and_simulated_times(client: httpx.Client) -> None:
    asked = {**CHAT, "max_tokens": 100}
    first, second = [
        client.post("/v1/chat/completions", json=body).json()["usage"]
        for body in (asked, {**asked, "stop": "no such words"})
    ]
    text = client.get("/metrics").text
    samples = dict(
        line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")
    )
    labels = 'model_name="m",engine="0"'
    assert samples[f"vllm:generation_tokens_total{{{labels}}}"] == "200"
    assert samples[f"vllm:inter_token_latency_seconds_count{{{labels}}}"] == "198"
    assert samples[f"vllm:num_requests_running{{{labels}}}"] == "0"
    finished = f'vllm:request_success_total{{{labels},finished_reason="length"}}'
    assert samples[finished] == "2"
    steps_s = float(samples[f"vllm:inter_token_latency_seconds_sum{{{labels}}}"])
    taken_s = first["completion_time"] + second["completion_time"]
    assert steps_s == pytest.approx(taken_s, rel=1e-6)
    first_s = first["queue_time"] + first["prompt_time"]
    summed = float(samples[f"vllm:time_to_first_token_seconds_sum{{{labels}}}"])
    assert summed == pytest.approx(2 * first_s, rel=1e-6)


def test_a_draining_endpoint_is_not_healthy(
    here: InProcessEndpoint, client: httpx.Client
) -> None:
    here.endpoint.draining = True
    assert client.get("/health").status_code == 503
    answer = client.post("/v1/chat/completions", json=CHAT)
    assert (answer.status_code, error_of(answer)["code"]) == (503, "shutting_down")


def test_a_defect_of_the_endpoint_is_an_answer_and_no_traceback(
    here: InProcessEndpoint, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(here.endpoint, "admit", broken)
    answer = client.post("/v1/chat/completions", json=CHAT)
    assert answer.status_code == 500
    assert error_of(answer)["message"] == "Internal Server Error"


def test_an_application_knows_its_endpoint() -> None:
    endpoint = make_endpoint()
    assert make_application(endpoint).state.endpoint is endpoint
