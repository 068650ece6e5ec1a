"""One chat completion, with the times that the answer tells."""

from groq import Groq

client = Groq(api_key="your_groq_api_key")

completion = client.chat.completions.create(
    model="llama-3.1-8b-instant",
    messages=[
        {"role": "system", "content": "You are a helpful assistant."},
        {"role": "user", "content": "Explain gradient descent in 3 sentences."},
    ],
    temperature=0.7,
    max_tokens=512,
)
usage = completion.usage
print(completion.choices[0].message.content)
print(f"Tokens generated: {usage.completion_tokens}")
print(f"Generation time: {usage.completion_time:.3f}s")
print(f"Tokens/sec: {usage.completion_tokens / usage.completion_time:.1f}")
