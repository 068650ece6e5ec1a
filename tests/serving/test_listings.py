"""Listings as clients are documented with, run as they are but for where they lead.

The constructors of the official clients lead to an endpoint in this process, and the
module ``time`` tells simulated time, to the clients' own waiting too.
"""

import runpy
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import groq
import httpx
import openai
import pytest

from serving.client import (
    AsyncTransport,
    InProcessEndpoint,
    SimulatedTime,
    SyncTransport,
)
from tests.serving.endpoints import make_endpoint

LISTINGS = Path(__file__).parent / "listings"
NAMES = ("llama-3.1-8b-instant", "llama-3.1-70b-versatile", "gpt-4o-mini")
FRAME_MS = 0.3
CYCLE_MS = 1e-6
Listing = Callable[..., dict[str, Any]]


@pytest.fixture
def listing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listing]:
    """Run a listing against an endpoint with these settings; return what it names."""
    opened: list[InProcessEndpoint] = []

    def run(name: str, **settings: Any) -> dict[str, Any]:
        endpoint = make_endpoint(*NAMES, **settings)
        here = InProcessEndpoint(endpoint)
        opened.append(here)
        stopwatch = SimulatedTime(endpoint)
        client = httpx.Client(transport=SyncTransport(here))
        async_client = httpx.AsyncClient(transport=AsyncTransport(here))
        for module, kind, reached in (
            (groq, "Groq", client),
            (groq, "AsyncGroq", async_client),
            (openai, "OpenAI", client),
        ):
            made_with = partial(getattr(module, kind), http_client=reached)
            monkeypatch.setattr(module, kind, made_with)
        monkeypatch.setattr("groq._base_client.time", stopwatch)
        monkeypatch.setitem(sys.modules, "time", stopwatch)
        for variable in ("GROQ_API_KEY", "OPENAI_API_KEY"):
            monkeypatch.setenv(variable, "any")
        made = runpy.run_path(str(LISTINGS / f"{name}.py"))
        monkeypatch.undo()
        return {**made, "endpoint": endpoint}

    yield run
    for here in opened:
        here.close()


def test_basic_usage_prints_the_simulated_speed(
    listing: Listing, capsys: pytest.CaptureFixture[str]
) -> None:
    usage = listing("basic_usage")["usage"]
    shown = capsys.readouterr().out
    assert "Tokens generated: 512\n" in shown
    # A token a frame: 510 frames of 300 us, and the way from the prompt to the slot.
    assert usage.completion_time == pytest.approx(511 * 300e-6, rel=0.005)


def test_equal_requests_vary_by_less_than_two_percent(listing: Listing) -> None:
    result = listing("benchmark")["result"]
    assert result["cv_percent"] < 1e-3
    assert result["p99_latency_ms"] == pytest.approx(
        result["p50_latency_ms"], abs=CYCLE_MS
    )
    assert result["p50_latency_ms"] == pytest.approx(200 * FRAME_MS, rel=0.02)


def test_the_first_token_of_an_idle_endpoint_is_always_as_early(
    listing: Listing,
) -> None:
    made = listing("streaming")
    first, *others = made["ttfts_ms"]
    assert others == pytest.approx([first] * 4, rel=1e-9)


def test_the_client_of_openai_is_a_drop_in(listing: Listing) -> None:
    response = listing("drop_in")["response"]
    assert response.choices[0].message.content
    assert response.choices[0].finish_reason == "stop"


def test_a_client_that_backs_off_gets_all_of_its_answers(listing: Listing) -> None:
    made = listing("back_off", faults={"rate_limit": 0.6}, seed=3)
    assert len(made["answers"]) == 10
    assert all(answer.usage.completion_tokens == 512 for answer in made["answers"])
    # The client itself tries thrice; sometimes that is not enough.
    assert made["waits_s"]


def test_a_batch_behind_a_semaphore_is_answered_in_full(listing: Listing) -> None:
    results = listing("batch")["results"]
    assert len(results) == 100
    assert len(set(results)) == 2
    assert results[::2] == [results[0]] * 50


def test_p99_is_p50_without_load(listing: Listing) -> None:
    stats = listing("latency_monitor")["stats"]
    # Frames begin with the request that ends the idleness: equal to the cycle.
    assert stats["p99_ms"] == pytest.approx(stats["p50_ms"], abs=CYCLE_MS)


def test_requests_are_routed_to_the_model_they_name(listing: Listing) -> None:
    made = listing("routing")
    assert made["voice_response"].model == "llama-3.1-8b-instant"
    assert made["report_response"].model == "gpt-4o-mini"
    assert made["report_response"].usage.completion_tokens == 1000


def test_every_listing_is_run() -> None:
    tests = Path(__file__).read_text("utf-8")
    assert [
        path.stem
        for path in LISTINGS.glob("*.py")
        if f'listing("{path.stem}"' not in tests
    ] == []
