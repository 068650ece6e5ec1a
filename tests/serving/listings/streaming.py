"""Time to the first token of a stream, as a voice assistant measures it."""

import time

from groq import Groq

client = Groq(api_key="your_groq_api_key")
ttfts_ms = []


def stream_with_ttft(model: str, prompt: str) -> str:
    start = time.perf_counter()
    first_token_time = None
    full_response = ""
    stream = client.chat.completions.create(
        model=model,
        messages=[{"role": "user", "content": prompt}],
        max_tokens=300,
        stream=True,
    )
    for chunk in stream:
        if chunk.choices[0].delta.content:
            if first_token_time is None:
                first_token_time = time.perf_counter()
                ttfts_ms.append((first_token_time - start) * 1000)
                print(f"TTFT: {ttfts_ms[-1]:.1f} ms")
            full_response += chunk.choices[0].delta.content
    print(f"Total time: {(time.perf_counter() - start) * 1000:.0f} ms")
    print(f"Response length: {len(full_response.split())} words")
    return full_response


for _ in range(5):
    response = stream_with_ttft(
        model="llama-3.1-8b-instant",
        prompt="What's the weather in San Francisco today?",
    )
