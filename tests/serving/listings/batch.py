"""A hundred prompts, at most ten at once."""

import asyncio

from groq import AsyncGroq

client = AsyncGroq(api_key="your_key")


async def process_single(prompt: str, semaphore: asyncio.Semaphore) -> str:
    async with semaphore:
        response = await client.chat.completions.create(
            model="llama-3.1-8b-instant",
            messages=[{"role": "user", "content": prompt}],
            max_tokens=200,
        )
        return response.choices[0].message.content


async def batch_process(prompts: list[str], max_concurrent: int = 10) -> list[str]:
    semaphore = asyncio.Semaphore(max_concurrent)
    tasks = [process_single(prompt, semaphore) for prompt in prompts]
    return await asyncio.gather(*tasks)


prompts = ["Explain neural networks.", "What is backpropagation?"] * 50
results = asyncio.run(batch_process(prompts))
