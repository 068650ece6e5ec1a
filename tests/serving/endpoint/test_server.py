"""The endpoint in a process of its own, on the loopback interface."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import groq
import httpx
import openai
import pytest

from serving.endpoint.server import HOST, listening_socket
from specs.errors import OutputError
from tests.serving.endpoints import HELLO

ROOT = Path(__file__).parents[3]
# A frame of 300 us lasts 3 ms.
PROGRAM = """
import sys
from serving.endpoint.request_log import log_to_stderr
from serving.endpoint.server import listening_socket, serve
from tests.serving.endpoints import make_endpoint
log = log_to_stderr()
settings = {"clock": "scaled", "time_scale": 10, "drain_s": float(sys.argv[1])}
serve(make_endpoint(**settings), listening_socket(0))
log.finish(5)
"""
ASKED: dict[str, Any] = {"model": "m", "messages": HELLO, "max_tokens": 10}
LONG = {**ASKED, "max_tokens": 4000, "stream": True}


class Served(NamedTuple):
    process: "subprocess.Popen[str]"
    host: str
    client: groq.Groq

    def metric(self, name: str) -> str:
        lines = httpx.get(f"{self.host}/metrics").text.splitlines()
        (value,) = [
            line.rsplit(" ", 1)[1] for line in lines if line.startswith(f"vllm:{name}")
        ]
        return value

    def until(self, name: str, value: str) -> None:
        """Wait until a metric has a value."""
        end = time.monotonic() + 10
        while self.metric(name) != value:
            assert time.monotonic() < end, f"{name} is {self.metric(name)}"
            time.sleep(0.01)


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Serve in a process that drains for so many seconds."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(request.param)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    told = json.loads(process.stderr.readline())
    host = told["groq_base_url"]
    try:
        with groq.Groq(api_key="any", base_url=host, max_retries=0) as client:
            yield Served(process, host, client)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("served", [1.0], indirect=True)
def test_clients_are_served_until_a_signal_stops_the_endpoint(served: Served) -> None:
    client = served.client
    whole = client.chat.completions.create(**ASKED)

    async def stream(client: openai.AsyncOpenAI) -> tuple[str, float]:
        answer = await client.chat.completions.create(**ASKED, stream=True)
        chunks = [chunk async for chunk in answer]
        usage: Any = chunks[-1].usage
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        return text, usage.completion_time

    async def streams() -> list[tuple[str, float]]:
        base_url = f"{served.host}/v1"
        async with openai.AsyncOpenAI(api_key="any", base_url=base_url) as other:
            return await asyncio.gather(*(stream(other) for _ in range(10)))

    answers = asyncio.run(streams())
    assert {text for text, _ in answers} == {whole.choices[0].message.content}
    # The frame is the time per token for all of them, however the computer is loaded.
    assert all(8 * 300e-6 < taken < 10 * 300e-6 for _, taken in answers)

    with socket.create_connection((HOST, httpx.URL(served.host).port)) as odd:
        odd.sendall(b"no HTTP\r\n\r\n")
        assert odd.recv(100).startswith(b"HTTP/1.1 400 ")

    vanishing = client.chat.completions.create(**LONG)
    next(vanishing)
    served.until("num_requests_running", "1")
    vanishing.close()
    served.until("num_requests_running", "0")
    aborted = 'request_success_total{model_name="m",engine="0",finished_reason="abort"'
    assert served.metric(aborted) == "1"

    begun = client.chat.completions.create(**LONG)
    next(begun)
    served.process.send_signal(signal.SIGTERM)
    # It still answers, and says that it takes nothing new.
    while (health := httpx.get(f"{served.host}/health")).status_code == 200:
        pass
    assert health.json() == {"status": "draining"}
    with pytest.raises(groq.APIError, match="The endpoint is shutting down"):
        list(begun)
    assert served.process.wait(timeout=10) == 0
    assert served.process.stderr is not None
    events = [json.loads(line) for line in served.process.stderr]
    outcomes = [told["outcome"] for told in events if told["event"] == "request"]
    assert outcomes == ["completed"] * 11 + ["vanished", "stopped"]
    assert [told["message"] for told in events if told["event"] == "server"] == [
        "Invalid HTTP request received."
    ]
    assert [told["event"] for told in events[-3:]] == [
        *("request", "drained", "stopped"),
    ]


@pytest.mark.parametrize("served", [60.0], indirect=True)
def test_a_second_signal_stops_at_once(served: Served) -> None:
    begun = served.client.chat.completions.create(**LONG)
    next(begun)
    for _ in range(2):
        served.process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert served.process.wait(timeout=10) == 0
    begun.close()


def test_a_port_that_is_taken_is_told() -> None:
    with listening_socket(0) as listening:
        host, port = listening.getsockname()
        assert host == HOST == "127.0.0.1"
        with pytest.raises(OutputError, match=f"--port {port}: .* use another port"):
            listening_socket(port)
