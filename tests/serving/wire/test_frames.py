import json
from typing import Any

from serving.wire.answers import Identity, chat_answer, text_answer
from serving.wire.errors import shutting_down
from serving.wire.frames import DONE, Frames, error_frame
from serving.wire.usage import Usage

IDENTITY = Identity(
    answer_id="chatcmpl-1",
    request_id="req_1",
    created_s=7,
    model="m",
    fingerprint="fp_0123456789",
)
USAGE = Usage(
    prompt_tokens=1, completion_tokens=2, queue_ps=3, prompt_ps=4, completion_ps=5
)


def read(frame: bytes) -> dict[str, Any]:
    text = frame.decode()
    assert text.startswith("data: ")
    assert text.endswith("\n\n")
    assert text.count("\n") == 2
    body: dict[str, Any] = json.loads(text.removeprefix("data: "))
    return body


def test_frames_of_a_chat_are_those_of_the_wire() -> None:
    frames = Frames(IDENTITY, chat=True)
    head = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "system_fingerprint": "fp_0123456789",
    }
    plain = {"index": 0, "logprobs": None, "finish_reason": None}
    assert read(frames.opening()) == {
        **head,
        "choices": [{**plain, "delta": {"role": "assistant", "content": ""}}],
        "x_groq": {"id": "req_1"},
    }
    assert read(frames.token(" word")) == {
        **head,
        "choices": [{**plain, "delta": {"content": " word"}}],
    }
    assert read(frames.counted_token(" word", 5, 2)) == {
        **read(frames.token(" word")),
        "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7},
    }
    assert read(frames.closing("stop", USAGE)) == {
        **head,
        "choices": [{**plain, "delta": {}, "finish_reason": "stop"}],
        "x_groq": {"id": "req_1", "usage": USAGE.body()},
        "usage": USAGE.body(),
    }
    assert read(frames.usage(USAGE, "on_demand")) == {
        **head,
        "choices": [],
        "usage": USAGE.body(),
        "service_tier": "on_demand",
    }
    assert DONE == b"data: [DONE]\n\n"


def test_a_text_completion_has_no_role_and_its_text_in_place_of_a_delta() -> None:
    frames = Frames(IDENTITY, chat=False)
    assert frames.opening() == b""
    body = read(frames.token("Word"))
    assert body["object"] == "text_completion"
    assert body["choices"][0]["text"] == "Word"


def test_a_token_may_be_any_text() -> None:
    for piece in ('"', "\n\n", "\x00", "日", "\\u0000"):
        body = read(Frames(IDENTITY, chat=True).token(piece))
        assert body["choices"][0]["delta"]["content"] == piece


def test_a_fault_inside_a_stream_is_an_event_with_a_name() -> None:
    name, data = error_frame(shutting_down()).split(b"\n", 1)
    assert name == b"event: error"
    assert read(data) == shutting_down().body()


def test_whole_answers_have_text_usage_and_where_cached_tokens_were() -> None:
    chat = chat_answer(IDENTITY, "Hello", "length", USAGE, "flex")
    text = text_answer(IDENTITY, "Hello", "length", USAGE, "flex")
    message = {"role": "assistant", "content": "Hello"}
    assert chat["choices"][0]["message"] == message
    assert text["choices"][0]["text"] == "Hello"
    for answer, kind in ((chat, "chat.completion"), (text, "text_completion")):
        assert {key: answer[key] for key in IDENTITY.head(kind)} == IDENTITY.head(kind)
        assert answer["choices"][0]["finish_reason"] == "length"
        assert answer["usage"] == USAGE.body()
        assert answer["x_groq"] == {"id": "req_1", "usage": USAGE.cache_body()}
        assert answer["service_tier"] == "flex"
