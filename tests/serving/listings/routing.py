"""Requests that must be fast to one provider, all others to another."""

import os

from groq import Groq as GroqClient
from openai import OpenAI

groq_client = GroqClient(api_key=os.environ["GROQ_API_KEY"])
gpu_client = OpenAI(api_key=os.environ["OPENAI_API_KEY"])


def route_request(
    messages: list,
    max_tokens: int,
    latency_sensitive: bool,
    model_size: str = "8b",
):
    if latency_sensitive:
        model = "llama-3.1-70b-versatile"
        if model_size == "8b":
            model = "llama-3.1-8b-instant"
        return groq_client.chat.completions.create(
            model=model,
            messages=messages,
            max_tokens=max_tokens,
        )
    return gpu_client.chat.completions.create(
        model="gpt-4o-mini",
        messages=messages,
        max_tokens=max_tokens,
    )


voice_response = route_request(
    messages=[{"role": "user", "content": "Book a table for 2 at 7pm"}],
    max_tokens=100,
    latency_sensitive=True,
)
report_response = route_request(
    messages=[{"role": "user", "content": "Summarize last week's sales data"}],
    max_tokens=1000,
    latency_sensitive=False,
)
