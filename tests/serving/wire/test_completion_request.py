import json
from typing import Any

import pytest

from serving.wire.completion_request import CompletionRequest
from serving.wire.errors import WireError
from serving.wire.request_body import read_body


def completion(**properties: Any) -> CompletionRequest:
    body = read_body(
        CompletionRequest, json.dumps({"model": "m", **properties}).encode()
    )
    body.check()
    return body


@pytest.mark.parametrize(
    ("prompt", "tokens"),
    [("one two", 2), (["one two"], 2), ([5, 6, 7], 3), ([[5, 6, 7]], 3)],
)
def test_a_prompt_is_a_text_or_numbers_of_tokens(prompt: Any, tokens: int) -> None:
    body = completion(prompt=prompt)
    assert body.prompt_tokens() == tokens
    assert body.content_key() == prompt
    assert len(body.prompt_pieces()) == tokens


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ({}, "'prompt' : property 'prompt' is missing"),
        ({"prompt": 3}, "'prompt' : value must be a string"),
        ({"prompt": [True]}, "'prompt.0' : value must be an integer"),
        ({"prompt": [-1]}, "'prompt.0' : number must be at least 0"),
        ({"prompt": ""}, "'prompt' : it has no token"),
        ({"prompt": []}, "'prompt' : it has no token"),
        ({"prompt": ["a", "b"]}, "'prompt' : 2 prompts; send one at a time"),
        ({"prompt": "a", "echo": True}, "`echo` is not supported"),
        ({"prompt": "a", "best_of": 2}, "'best_of' : number must be at most 1"),
    ],
)
def test_a_body_that_cannot_be_is_told(properties: dict[str, Any], told: str) -> None:
    with pytest.raises(WireError) as raised:
        completion(**properties)
    assert raised.value.status == 400
    assert told in raised.value.message
