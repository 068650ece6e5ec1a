import json
from typing import Any

import pytest

from serving.wire.chat_request import ChatRequest
from serving.wire.errors import WireError
from serving.wire.request_body import read_body
from serving.wire.token_count import count_chat_tokens

HELLO = [{"role": "user", "content": "Hello"}]


def chat(**properties: Any) -> ChatRequest:
    given = {"model": "m", "messages": HELLO, **properties}
    body = read_body(ChatRequest, json.dumps(given).encode())
    body.check()
    return body


def refusal(**properties: Any) -> str:
    with pytest.raises(WireError) as raised:
        chat(**properties)
    assert raised.value.status == 400
    assert raised.value.kind == "invalid_request_error"
    return raised.value.message


def message(**properties: Any) -> list[dict[str, Any]]:
    return [{"role": "user", **properties}]


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({"messages": []}, "'messages' : minimum number of items is 1"),
        ({"messages": "Hello"}, "'messages' : value must be an array"),
        ({"messages": ["Hello"]}, "'messages.0' : value must be an object"),
        ({"stor": True}, "property 'stor' is unsupported, did you mean 'store'?"),
        ({"x" * 99: 1}, f"property '{'x' * 64}...' is unsupported"),
        ({"n": 2}, "'n' : number must be at most 1"),
        ({"temperature": "warm"}, "'temperature' : value must be a number"),
        ({"temperature": 2.1}, "'temperature' : number must be at most 2"),
        ({"max_tokens": 0}, "'max_tokens' : number must be at least 1"),
        ({"max_completion_tokens": 1.5}, "value must be an integer"),
        ({"stream": "yes"}, "'stream' : value must be a boolean"),
        ({"stop": ["a"] * 5}, "'stop' : maximum number of items is 4"),
        ({"stop": [1]}, "'stop.0' : value must be a string"),
        ({"service_tier": "gold"}, "'service_tier' : value is not one of the allowed"),
        ({"logprobs": True}, "`logprobs` is not supported"),
        ({"tool_choice": "required"}, "`tool_choice` must be `auto` or `none`"),
        ({"response_format": {"type": "json_object"}}, "`json_object` is not"),
    ],
)
def test_a_property_that_cannot_be_is_told(
    properties: dict[str, Any], told: str
) -> None:
    assert told in refusal(**properties)


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, "('messages.0.content' : property 'content' is missing)"),
        ({"content": None}, "('messages.0.content' : Value is not nullable)"),
        ({"content": 3}, "('messages.0.content' : value must be a string)"),
        ({"content": "a", "id": 1}, "('messages.0' : property 'id' is unsupported)"),
        (
            {"content": [{"type": "image_url", "image_url": "x"}]},
            "('messages.0.content.0.type' : value is not one of the allowed",
        ),
    ],
)
def test_a_fault_of_a_message_is_told_with_its_role(
    properties: dict[str, Any], told: str
) -> None:
    said = refusal(messages=message(**properties))
    expected = "'messages.0' : for 'role:user' the following must be satisfied["
    assert said.startswith(expected + told)


@pytest.mark.parametrize(
    ("messages", "told"),
    [
        ([{"content": "a"}], "discriminator property 'role' is missing"),
        (message(role="judge"), "discriminator property 'role' has invalid value"),
    ],
)
def test_a_message_needs_a_role_that_there_is(
    messages: list[dict[str, Any]], told: str
) -> None:
    assert refusal(messages=messages) == f"'messages.0' : {told}"


def test_the_newer_limit_of_tokens_counts() -> None:
    assert chat(max_tokens=5).token_limit == 5
    both = chat(max_tokens=5, max_completion_tokens=7)
    assert both.token_limit == 7
    assert both.token_limit_name == "max_completion_tokens"


def test_more_tokens_than_the_model_makes_are_refused() -> None:
    assert chat().answer_tokens(128, 50) == 50
    assert chat(max_tokens=50).answer_tokens(128, 50) == 50
    with pytest.raises(WireError, match="`max_tokens` must be less than or equal"):
        chat(max_tokens=51).answer_tokens(128, 50)


def test_nothing_and_auto_are_the_default_tier() -> None:
    named = {tier: chat(service_tier=tier).tier for tier in (None, "auto", "flex")}
    assert named == {None: "on_demand", "auto": "on_demand", "flex": "flex"}


def test_texts_are_those_of_parts_and_of_calls_of_tools() -> None:
    call = {"name": "weather", "arguments": "{}"}
    body = chat(
        messages=[
            *message(content=[{"type": "text", "text": t} for t in "ab"]),
            {
                "role": "assistant",
                "tool_calls": [{"id": "1", "type": "function", "function": call}],
            },
            {"role": "tool", "content": "rain", "tool_call_id": "1"},
        ]
    )
    assert body.texts() == ["ab", "weather{}", "rain"]
    assert body.prompt_tokens() == count_chat_tokens(body.texts())


def test_tools_count_to_the_prompt() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    assert chat(tools=[tool]).prompt_tokens() > chat().prompt_tokens()


def test_the_pieces_of_a_prompt_are_as_many_as_its_tokens() -> None:
    tool = {"type": "function", "function": {"name": "weather", "parameters": {}}}
    for body in (chat(), chat(tools=[tool]), chat(messages=[*HELLO, *HELLO])):
        assert len(body.prompt_pieces()) == body.prompt_tokens()


def test_words_depend_on_roles_and_texts() -> None:
    assert chat().content_key() == chat(temperature=1).content_key()
    other = chat(messages=[{"role": "system", "content": "Hello"}])
    assert chat().content_key() != other.content_key()


def test_a_stop_is_one_text_or_several() -> None:
    stops = [chat(stop=stop).stops for stop in (None, "a", ["a", "b"])]
    assert stops == [[], ["a"], ["a", "b"]]


def test_the_usage_frame_is_for_those_who_ask() -> None:
    assert not chat(stream=True).wants_usage_frame
    assert chat(stream_options={"include_usage": True}).wants_usage_frame


def test_what_load_generators_send_beside_is_taken() -> None:
    asked = chat(
        ignore_eos=True,
        min_tokens=200,
        stream_options={"include_usage": True, "continuous_usage_stats": True},
    )
    assert asked.wants_usage_so_far
    assert asked.answer_tokens(128, 1000) == 200
    assert not chat(stream_options={"include_usage": True}).wants_usage_so_far
    assert "'min_tokens' : number must be at least 0" in refusal(min_tokens=-1)
