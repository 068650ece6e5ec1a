"""Answers of the wire that are sent whole: chat completions and text completions."""

from dataclasses import dataclass
from typing import Any, final

from serving.wire.usage import Usage


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What all parts of one answer have in common.

    Parameters
    ----------
    answer_id, request_id
        Identifiers of the answer (``chatcmpl-...``) and of the request (``req_...``).
    created_s
        Time of the answer in seconds of the Unix epoch.
    model
        Model as the request names it.
    fingerprint
        Fingerprint of the system: of the certificate of the schedule that runs.
    """

    answer_id: str
    request_id: str
    created_s: int
    model: str
    fingerprint: str

    def head(self, kind: str) -> dict[str, Any]:
        """Return the first keys of an answer or frame of a kind."""
        return {
            "id": self.answer_id,
            "object": kind,
            "created": self.created_s,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
        }


def chat_answer(
    identity: Identity, text: str, finish_reason: str, usage: Usage, tier: str
) -> dict[str, Any]:
    """Return the body of a chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    return {
        **identity.head("chat.completion"),
        "choices": [choice],
        "usage": usage.body(),
        "usage_breakdown": None,
        "x_groq": {"id": identity.request_id, "usage": usage.cache_body()},
        "service_tier": tier,
    }


def text_answer(
    identity: Identity, text: str, finish_reason: str, usage: Usage, tier: str
) -> dict[str, Any]:
    """Return the body of a text completion."""
    choice = {
        "index": 0,
        "text": text,
        "logprobs": None,
        "finish_reason": finish_reason,
    }
    return {
        **identity.head("text_completion"),
        "choices": [choice],
        "usage": usage.body(),
        "x_groq": {"id": identity.request_id, "usage": usage.cache_body()},
        "service_tier": tier,
    }
