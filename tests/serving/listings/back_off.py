"""Exponential back-off where a rate limit is met."""

import time

from groq import Groq, RateLimitError

client = Groq(api_key="your_key")
waits_s = []


def call_with_backoff(messages, model="llama-3.1-8b-instant", max_retries=5):
    for attempt in range(max_retries):
        try:
            return client.chat.completions.create(
                model=model,
                messages=messages,
                max_tokens=512,
            )
        except RateLimitError:
            if attempt == max_retries - 1:
                raise
            wait = 2**attempt
            waits_s.append(wait)
            print(f"Rate limited. Waiting {wait}s (attempt {attempt + 1})")
            time.sleep(wait)
    return None


answers = [
    call_with_backoff([{"role": "user", "content": f"Question {number}"}])
    for number in range(10)
]
