"""Frames of a stream: server-sent events, in the order in which clients expect them.

1. the role of the answer, with the identifier of the request;
2. one frame a token;
3. the reason of the end, with the usage;
4. the usage alone, if the request asks for it;
5. ``[DONE]``.

Every frame is ``data:`` with one line of JSON and a blank line after it. A fault inside
a stream is the one frame with a name, ``event: error``, as both official clients read
it.
"""

import json
from typing import Any, final

from serving.wire.answers import Identity
from serving.wire.errors import WireError
from serving.wire.usage import Usage

DONE = b"data: [DONE]\n\n"
# Stands where a frame has the text of its token: a text that JSON cannot make.
_HOLE = "\x00"


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _frame(value: dict[str, Any]) -> bytes:
    return f"data: {_json(value)}\n\n".encode()


def error_frame(error: WireError) -> bytes:
    """Return the frame that ends a stream with a fault."""
    return b"event: error\n" + _frame(error.body())


@final
class Frames:
    """Frames of one answer.

    Parameters
    ----------
    identity
        What all frames have in common.
    chat
        Whether it is a chat; else a text completion, which has no role.
    """

    def __init__(self, identity: Identity, *, chat: bool) -> None:
        self._identity = identity
        self._chat = chat
        self._kind = "chat.completion.chunk" if chat else "text_completion"
        frame = self._token_body(_HOLE)
        before, after = _frame(frame).decode().split(json.dumps(_HOLE))
        self._before, self._after = before.encode(), after.encode()

    def _body(self, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {**self._identity.head(self._kind), "choices": choices, **more}

    def _token_body(self, piece: str) -> dict[str, Any]:
        content = {"delta": {"content": piece}} if self._chat else {"text": piece}
        return self._body(
            [{"index": 0, **content, "logprobs": None, "finish_reason": None}]
        )

    def opening(self) -> bytes:
        """Return the frames before the first token; a text completion has none."""
        if not self._chat:
            return b""
        choice = {
            "index": 0,
            "delta": {"role": "assistant", "content": ""},
            "logprobs": None,
            "finish_reason": None,
        }
        return _frame(self._body([choice], x_groq={"id": self._identity.request_id}))

    def token(self, piece: str) -> bytes:
        """Return the frame of a token."""
        return self._before + _json(piece).encode() + self._after

    def counted_token(self, piece: str, prompt_tokens: int, made_tokens: int) -> bytes:
        """Return the frame of a token with the usage so far, as vLLM has it.

        Parameters
        ----------
        piece
            Text of the token.
        prompt_tokens, made_tokens
            Tokens of the prompt, and those of the answer until this one.
        """
        usage = {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": made_tokens,
            "total_tokens": prompt_tokens + made_tokens,
        }
        return _frame({**self._token_body(piece), "usage": usage})

    def closing(self, finish_reason: str, usage: Usage) -> bytes:
        """Return the frame with the reason of the end and the usage."""
        content: dict[str, Any] = {"delta": {}} if self._chat else {"text": ""}
        choice = {
            "index": 0,
            **content,
            "logprobs": None,
            "finish_reason": finish_reason,
        }
        x_groq = {"id": self._identity.request_id, "usage": usage.body()}
        return _frame(self._body([choice], x_groq=x_groq, usage=usage.body()))

    def usage(self, usage: Usage, tier: str) -> bytes:
        """Return the frame with the usage alone."""
        return _frame(self._body([], usage=usage.body(), service_tier=tier))
