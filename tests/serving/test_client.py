"""The official clients, unmodified, on an endpoint in the same process."""

import asyncio
from collections.abc import Iterator
from itertools import pairwise
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
from serving.fleet.limits import Limits
from tests.serving.endpoints import HELLO, make_endpoint

Sdk = groq.Groq | openai.OpenAI
ASKED: dict[str, Any] = {"model": "m", "messages": HELLO, "max_tokens": 20}
LONG: dict[str, Any] = {**ASKED, "max_tokens": 4000, "stream": True}


@pytest.fixture
def here() -> Iterator[InProcessEndpoint]:
    with InProcessEndpoint(make_endpoint()) as running:
        yield running


@pytest.fixture(params=["groq", "openai"])
def sdk(request: pytest.FixtureRequest, here: InProcessEndpoint) -> Sdk:
    client: Sdk = getattr(here, request.param)()
    return client


def refused(status: int, **options: Any) -> list[Any]:
    """Return the errors of both clients, which do not try again."""
    errors = []
    with InProcessEndpoint(make_endpoint(**options)) as here:
        for client in (here.groq(max_retries=0), here.openai(max_retries=0)):
            with pytest.raises((groq.APIStatusError, openai.APIStatusError)) as raised:
                client.chat.completions.create(**ASKED)
            error: Any = raised.value
            assert error.status_code == status
            errors.append(error)
    return errors


def test_a_chat_is_answered_with_words_and_usage(sdk: Sdk) -> None:
    answer = sdk.chat.completions.create(**ASKED)
    usage: Any = answer.usage
    assert answer.choices[0].finish_reason == "length"
    assert len((answer.choices[0].message.content or "").split()) > 10
    assert (usage.prompt_tokens, usage.completion_tokens) == (11, 20)
    assert usage.total_time == pytest.approx(usage.prompt_time + usage.completion_time)
    # 18 frames of 300 us behind the second token.
    assert 18 * 300e-6 < usage.completion_time < 20 * 300e-6
    assert answer.system_fingerprint == "fp_0123456789"


def test_a_stream_comes_in_order_and_is_the_whole_answer(sdk: Sdk) -> None:
    whole = sdk.chat.completions.create(**ASKED).choices[0].message.content
    options: Any = {"stream_options": {"include_usage": True}}
    if isinstance(sdk, groq.Groq):
        # The property is on the wire, but not among the arguments of this client.
        options = {"extra_body": options}
    chunks: list[Any] = list(
        sdk.chat.completions.create(**ASKED, stream=True, **options)
    )
    opening, *tokens, closing, usage = chunks
    assert opening.choices[0].delta.role == "assistant"
    assert opening.x_groq
    assert "".join(chunk.choices[0].delta.content for chunk in tokens) == whole
    assert len(tokens) == 20
    assert {chunk.choices[0].finish_reason for chunk in tokens} == {None}
    assert closing.choices[0].finish_reason == "length"
    assert not closing.choices[0].delta.content
    assert closing.usage.completion_tokens == 20
    assert usage.choices == []
    assert usage.usage == closing.usage
    assert len({(chunk.id, chunk.created) for chunk in chunks}) == 1


def test_text_completions_and_models_are_those_of_openai(
    here: InProcessEndpoint,
) -> None:
    client = here.openai()
    asked: Any = {"model": "m", "prompt": "Once upon a time", "max_tokens": 7}
    answer = client.completions.create(**asked)
    streamed = list(client.completions.create(**asked, stream=True))
    assert (
        "".join(chunk.choices[0].text for chunk in streamed) == answer.choices[0].text
    )
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 7
    assert [model.id for model in client.models.list()] == ["m"]
    assert client.models.retrieve("m").owned_by == "groqrack-fabric"
    assert [model.id for model in here.groq().models.list().data] == ["m"]


def test_many_streams_at_once_lose_and_reorder_nothing(
    here: InProcessEndpoint,
) -> None:
    async def stream(client: Any, number: int) -> tuple[str, str]:
        asked = {**ASKED, "messages": [{"role": "user", "content": f"{number}"}]}
        whole = await client.chat.completions.create(**asked)
        pieces = [
            chunk.choices[0].delta.content or ""
            async for chunk in await client.chat.completions.create(
                **asked, stream=True
            )
        ]
        return "".join(pieces), whole.choices[0].message.content

    async def all_of_them() -> list[tuple[str, str]]:
        clients = [here.async_groq(), here.async_openai()]
        return await asyncio.gather(*(stream(clients[n % 2], n) for n in range(30)))

    texts = asyncio.run(all_of_them())
    assert all(streamed == whole for streamed, whole in texts)
    assert len({whole for _, whole in texts}) == 30
    assert here.endpoint.completions == {}


def test_refusals_are_the_errors_of_the_clients() -> None:
    for error in refused(401, api_key="secret"):
        assert isinstance(error, groq.AuthenticationError | openai.AuthenticationError)
    for error in refused(413, limits=Limits(tpm=30)):
        assert "Limit 30, Requested 31" in str(error)
    for error in refused(498, faults={"capacity": 1}):
        assert "Flex tier capacity exceeded" in str(error)
    for error in refused(500, faults={"server_error": 1}):
        assert isinstance(error, groq.InternalServerError | openai.InternalServerError)


def test_an_unknown_model_is_not_found(sdk: Sdk) -> None:
    with pytest.raises((groq.NotFoundError, openai.NotFoundError)) as raised:
        sdk.chat.completions.create(**{**ASKED, "model": "x"})
    assert "The model `x` does not exist" in str(raised.value)


def test_a_rate_limit_is_tried_again_when_the_client_was_told_to() -> None:
    # The first request fills the bucket; a second later the next one fits.
    limits = Limits(tpm=31 * 60)
    with InProcessEndpoint(make_endpoint(limits=limits)) as here:
        client = here.groq(max_retries=2)
        client.chat.completions.create(**{**ASKED, "max_tokens": 31 * 59})
        raw = here.groq(max_retries=0)
        with pytest.raises(groq.RateLimitError) as raised:
            raw.chat.completions.create(**ASKED)
        assert raised.value.response.headers["retry-after"] == "1"
        answer = client.chat.completions.with_raw_response.create(**ASKED)
        assert answer.retries_taken == 1
        assert answer.parse().usage


def test_a_script_of_faults_is_met_request_by_request() -> None:
    script = {1: "capacity", 2: "rate_limit", 3: "server_error"}
    with InProcessEndpoint(make_endpoint(script=script)) as here:
        client = here.openai(max_retries=0)
        statuses = []
        for _ in range(4):
            try:
                client.chat.completions.create(**ASKED)
            except openai.APIStatusError as error:
                statuses.append(error.status_code)
        assert statuses == [498, 429, 500]


def test_a_cut_answer_is_a_broken_connection() -> None:
    with InProcessEndpoint(make_endpoint(faults={"disconnect": 1})) as here:
        client = here.groq(max_retries=0)
        with pytest.raises((groq.APIConnectionError, httpx.RemoteProtocolError)):
            client.chat.completions.create(**ASKED)
        with pytest.raises((groq.APIConnectionError, httpx.RemoteProtocolError)):
            list(client.chat.completions.create(**ASKED, stream=True))
        assert here.endpoint.completions == {}


def test_a_client_that_closes_its_stream_frees_its_slot() -> None:
    with InProcessEndpoint(make_endpoint(slots=1)) as here:
        stream = here.groq().chat.completions.create(**LONG)
        for _ in range(3):
            next(stream)
        assert len(here.endpoint.completions) == 1
        stream.close()
        assert here.endpoint.completions == {}
        # 3,997 frames earlier than it would have been.
        usage = here.groq().chat.completions.create(**ASKED).usage
        assert usage is not None
        assert (usage.queue_time or 0) < 1e-3


def test_a_client_that_gives_up_in_the_queue_leaves_it() -> None:
    with InProcessEndpoint(make_endpoint(slots=1)) as here:
        client = here.async_groq()

        async def give_up() -> None:
            first = await client.chat.completions.create(**LONG)
            await anext(first)
            second = asyncio.create_task(client.chat.completions.create(**LONG))
            while len(here.endpoint.completions) < 2:
                await asyncio.sleep(0.001)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            while len(here.endpoint.completions) > 1:
                await asyncio.sleep(0.001)
            await first.close()

        asyncio.run(give_up())
        assert here.endpoint.completions == {}


def test_simulated_time_stands_at_what_the_client_reads() -> None:
    endpoint = make_endpoint()
    with InProcessEndpoint(endpoint) as here:
        stopwatch = SimulatedTime(endpoint)
        stream = here.groq().chat.completions.create(**ASKED, stream=True)
        times = [
            stopwatch.perf_counter()
            for chunk in stream
            if chunk.choices and chunk.choices[0].delta.content
        ]
        steps = [after - before for before, after in pairwise(times)]
        assert steps[1:] == pytest.approx([300e-6] * 18)
        before = stopwatch.time()
        stopwatch.sleep(2)
        assert stopwatch.monotonic() - before == pytest.approx(2)


def test_simulated_time_is_of_the_instant_clock_only() -> None:
    with pytest.raises(ValueError, match="clock wall passes by itself"):
        SimulatedTime(make_endpoint(clock="wall"))


def test_transports_serve_plain_clients_and_a_closed_endpoint_stays_closed(
    here: InProcessEndpoint,
) -> None:
    with httpx.Client(transport=SyncTransport(here), base_url="http://e") as client:
        assert client.get("/health").json() == {"status": "ok"}

    async def health() -> int:
        transport = AsyncTransport(here)
        async with httpx.AsyncClient(transport=transport, base_url="http://e") as it:
            return (await it.get("/health")).status_code

    assert asyncio.run(health()) == 200
    here.close()
    here.close()
