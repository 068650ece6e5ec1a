"""Bodies that no client of good will sends: a refusal of the wire to each, no more."""

import copy
import json
import random
from typing import Any

import httpx
import pytest

from serving.client import InProcessEndpoint, SyncTransport
from tests.serving.endpoints import HELLO, make_endpoint

BODIES = 300
CHAT: dict[str, Any] = {
    "model": "m",
    "messages": [
        {"role": "system", "content": "Be brief."},
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": []},
    ],
    "max_tokens": 3,
    "temperature": 0.5,
    "stop": ["a", "b"],
    "stream": False,
    "stream_options": {"include_usage": True},
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
}
TEXT: dict[str, Any] = {"model": "m", "prompt": ["Hello"], "max_tokens": 3}
ODD: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, 10**30, "", "\x00", "日" * 50, [], {}, [[]]),
    *({"role": "user"}, ["a"], "user", 2**63, -0.0, {"a": {"b": [1]}}),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to every value inside a body."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [path, *(p for key, each in inner for p in places(each, (*path, key)))]


def mutated(body: Any, draw: random.Random) -> Any:
    """Return a body with one value replaced, taken away, or put in."""
    made = {"": copy.deepcopy(body)}
    path = ("", *draw.choice(places(body)))
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    match draw.randrange(3):
        case 0:
            holder[path[-1]] = draw.choice(ODD)
        case 1 if len(path) > 1:
            del holder[path[-1]]
        case _:
            target = holder[path[-1]]
            if isinstance(target, dict):
                target[draw.choice(["x", "role", "content", "n"])] = draw.choice(ODD)
            elif isinstance(target, list):
                target.append(draw.choice(ODD))
            else:
                holder[path[-1]] = [target]
    return made[""]


def malformed(draw: random.Random) -> bytes:
    """Return a body with several faults, in its values or in its bytes."""
    body = draw.choice([CHAT, TEXT])
    for _ in range(draw.randint(1, 3)):
        body = mutated(body, draw)
    content = bytearray(json.dumps(body).encode())
    if draw.random() < 0.3 and content:
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
    if draw.random() < 0.1:
        del content[draw.randrange(len(content) + 1) :]
    return bytes(content)


def send_malformed(count: int, seed: int) -> dict[int, int]:
    """Send bodies; return how many were answered with each status."""
    draw = random.Random(seed)
    statuses: dict[int, int] = {}
    with (
        InProcessEndpoint(make_endpoint(most_body_bytes=100_000)) as here,
        httpx.Client(transport=SyncTransport(here), base_url="http://here") as client,
    ):
        for _ in range(count):
            content = malformed(draw)
            path = draw.choice(["/v1/chat/completions", "/openai/v1/completions"])
            answer = client.post(path, content=content)
            statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
            if answer.status_code != 200:
                told = answer.json()["error"]
                assert told["message"], content
                assert told["type"] == "invalid_request_error", content
        assert here.endpoint.completions == {}
        # It still serves.
        assert client.post("/v1/chat/completions", json=CHAT).status_code == 200
    return statuses


def test_a_malformed_body_is_refused_in_the_words_of_the_wire() -> None:
    statuses = send_malformed(BODIES, seed=1)
    assert set(statuses) <= {200, 400, 404}
    assert statuses[400] > BODIES / 2


@pytest.mark.parametrize("content", [b"[" * 50_000, b'{"a":' * 20_000, b"\x00" * 99])
def test_bodies_that_break_parsers_are_refused(content: bytes) -> None:
    with (
        InProcessEndpoint(make_endpoint()) as here,
        httpx.Client(transport=SyncTransport(here), base_url="http://here") as client,
    ):
        answer = client.post("/v1/chat/completions", content=content)
        assert answer.status_code == 400
