import asyncio
import json
from typing import Any

import pytest

from serving.endpoint.clock import InstantClock
from serving.endpoint.completion import Completion
from serving.endpoint.endpoint import Endpoint
from serving.endpoint.settings import EndpointSettings
from serving.fleet.fleet import CacheSizes
from serving.fleet.limits import Limits
from serving.wire.chat_request import ChatRequest
from serving.wire.errors import WireError
from serving.wire.request_body import read_body
from specs.errors import SpecError
from tests.serving.endpoints import HELLO, make_deployment, make_endpoint


def skip(endpoint: Endpoint, seconds: float) -> None:
    assert isinstance(endpoint.clock, InstantClock)
    endpoint.clock.skip(seconds)


def admit(endpoint: Endpoint, **properties: Any) -> Completion:
    given = {"model": "m", "messages": HELLO, "max_tokens": 20, **properties}
    body = read_body(ChatRequest, json.dumps(given).encode())
    return endpoint.admit(body, "us", endpoint.request_id(), chat=True)


def test_the_same_request_has_the_same_words_and_another_seed_others() -> None:
    endpoint = make_endpoint()
    first, again = admit(endpoint).reply, admit(endpoint, temperature=0.5).reply
    assert first == again
    assert admit(endpoint, seed=5).reply != first
    assert admit(make_endpoint(seed=2)).reply != first


def test_identifiers_follow_from_the_seed_and_differ() -> None:
    ids = [[make_endpoint(seed=s).request_id() for s in (1, 1, 2)] for _ in range(2)]
    assert ids[0] == ids[1]
    one, same, other = ids[0]
    assert one == same != other
    assert one.startswith("req_")
    endpoint = make_endpoint()
    assert len({endpoint.request_id() for _ in range(100)}) == 100


def test_a_stop_ends_the_answer_on_the_machine_too() -> None:
    endpoint = make_endpoint()
    words = admit(endpoint).reply.text.split()
    stopped = admit(endpoint, stop=words[4])
    assert stopped.reply.tokens == 5
    assert stopped.flight.ticket.output_tokens == 5
    assert stopped.asked_tokens == 20


def test_only_what_was_made_counts_to_the_limits_in_the_end() -> None:
    endpoint = make_endpoint(limits=Limits(tpm=100))
    completion = admit(endpoint)
    prompt = completion.flight.ticket.prompt_tokens
    now_s = endpoint.clock.limits_s()
    state = endpoint.limits.state("us", "m", now_s)
    assert state.remaining_tokens == pytest.approx(100 - prompt - 20, abs=1)
    endpoint.ended(completion, "us", 5)
    state = endpoint.limits.state("us", "m", now_s)
    assert state.remaining_tokens == pytest.approx(100 - prompt - 5, abs=1)
    assert endpoint.completions == {}


LONG_PROMPT = [{"role": "user", "content": "word " * 200}]
KEPT = CacheSizes(block_tokens=64, sram_tokens=1000, host_tokens=0, expiry_cycles=10**9)


def test_a_prompt_that_begins_like_an_earlier_one_is_not_computed_again() -> None:
    endpoint = make_endpoint(cache=KEPT, limits=Limits(itpm=600))
    first = admit(endpoint, messages=LONG_PROMPT)
    # It is not computed yet, so nothing is there for others.
    early = admit(endpoint, messages=LONG_PROMPT)
    skip(endpoint, 1)
    later = admit(endpoint, messages=[*LONG_PROMPT, *HELLO])
    usages = [each.flight.usage() for each in (first, early, later)]
    assert [usage.sram_cached_tokens for usage in usages] == [0, 0, 192]
    assert usages[2].prompt_ps < usages[0].prompt_ps / 2
    assert usages[2].body()["prompt_tokens_details"] == {"cached_tokens": 192}
    # Cached tokens do not count: 211 and 211 fit, and so do the 25 that are left.
    assert [usage.prompt_tokens for usage in usages] == [211, 211, 217]


def test_positions_that_the_hosts_keep_are_restored_and_told_apart() -> None:
    kept = CacheSizes(64, sram_tokens=64, host_tokens=1000, expiry_cycles=10**9)
    endpoint = make_endpoint(cache=kept)
    admit(endpoint, messages=LONG_PROMPT)
    skip(endpoint, 1)
    usage = admit(endpoint, messages=LONG_PROMPT).flight.usage()
    assert usage.cache_body() == {"sram_cached_tokens": 64, "dram_cached_tokens": 128}


def test_a_prompt_that_is_refused_or_given_up_brings_nothing_to_the_cache() -> None:
    endpoint = make_endpoint(cache=KEPT, limits=Limits(rpm=2))
    gone = admit(endpoint, messages=LONG_PROMPT)
    gone.end("vanished", stream=False)
    skip(endpoint, 60)
    assert admit(endpoint, messages=LONG_PROMPT).flight.ticket.cached_tokens == 0
    admit(endpoint)
    with pytest.raises(WireError, match="Rate limit reached"):
        admit(endpoint, messages=[*HELLO, *LONG_PROMPT])
    skip(endpoint, 60)
    assert admit(endpoint, messages=LONG_PROMPT).flight.ticket.cached_tokens == 192
    new = admit(endpoint, messages=[*HELLO, *LONG_PROMPT])
    assert new.flight.ticket.cached_tokens == 0
    skip(endpoint, 60)
    again = admit(endpoint, messages=[*HELLO, *LONG_PROMPT])
    assert again.flight.ticket.cached_tokens == 192


def test_what_the_queue_refuses_counts_to_no_limit() -> None:
    endpoint = make_endpoint(slots=1, most_waiting=0, limits=Limits(tpm=1000))
    admit(endpoint)
    before = endpoint.limits.state("us", "m", endpoint.clock.limits_s())
    with pytest.raises(WireError, match="over capacity"):
        admit(endpoint)
    after = endpoint.limits.state("us", "m", endpoint.clock.limits_s())
    assert after.remaining_tokens >= before.remaining_tokens


def test_a_key_is_needed_only_if_the_endpoint_has_one() -> None:
    assert make_endpoint().organisation("Bearer any") != ""
    endpoint = make_endpoint(api_key="secret")
    same = endpoint.organisation("Bearer secret")
    assert "secret" not in same
    for other in ("", "Bearer other"):
        with pytest.raises(WireError, match="Invalid API Key") as raised:
            endpoint.organisation(other)
        assert raised.value.status == 401


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    endpoint = make_endpoint("llama-2-70b", "gpt-4o-mini")
    assert endpoint.deployment("gpt-4o-mini").names[0] == "llama-2-70b"
    with pytest.raises(WireError, match="did you mean 'llama-2-70b'"):
        endpoint.deployment("llama-2-7b")


def test_two_models_of_one_name_are_refused() -> None:
    deployments = [make_deployment("m"), make_deployment("n", "m")]
    with pytest.raises(SpecError, match="two models are served as m"):
        Endpoint(deployments, EndpointSettings(clock="instant"))


def test_an_injected_fault_refuses_or_cuts() -> None:
    with pytest.raises(WireError, match="Rate limit reached"):
        admit(make_endpoint(faults={"rate_limit": 1}))
    cut = admit(make_endpoint(faults={"disconnect": 1})).cut_after
    assert cut is not None
    assert 0 <= cut < 20


def test_a_drain_waits_for_answers_and_then_stops_the_oldest_first() -> None:
    endpoint = make_endpoint(drain_s=0.05)
    completions = [admit(endpoint) for _ in range(3)]
    stopped: list[str] = []

    async def answer(completion: Completion) -> None:
        await completion.stopped.wait()
        stopped.append(completion.identity.request_id)
        completion.end("stopped", stream=False)

    async def drain() -> None:
        # The second ends by itself in time.
        completions[1].end("completed", stream=False)
        answers = [asyncio.create_task(answer(completions[at])) for at in (2, 0)]
        await endpoint.drain()
        await asyncio.gather(*answers)

    asyncio.run(drain())
    assert stopped == [completions[at].identity.request_id for at in (0, 2)]
    with pytest.raises(WireError, match="shutting down"):
        admit(endpoint)


def test_every_answer_has_its_request_and_limits_in_the_headers() -> None:
    headers = make_endpoint().headers("us", "m", "req_1")
    assert headers["x-request-id"] == "req_1"
    assert headers["x-ratelimit-limit-tokens"] == "1000000000"
