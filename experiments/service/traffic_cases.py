"""Traffic cases: the models, frames and requests that experiments of serving share."""

from typing import Any

LARGE: dict[str, Any] = {
    "model": "llama-2-70b",
    "chips": 576,
    "strategy": "tensor=16,pipeline=36",
    "context": 4000,
}
SMALL: dict[str, Any] = {
    "model": "gpt2",
    "chips": 24,
    "strategy": "tensor=2,pipeline=12",
    "context": 1000,
}
# Slots, positions of a prompt, and tokens of an answer, by model.
SIZES = {"llama-2-70b": (27, 1000, 200), "gpt2": (12, 250, 50)}
# Of prompts and of answers: the median length and the longest.
LENGTHS = {"llama-2-70b": (700, 3000, 150, 900), "gpt2": (200, 600, 100, 300)}
# Objectives in ms for the first token and for each further one; windows and chunks.
SLO = {"llama-2-70b": (200, 5), "gpt2": (10, 1)}
FRAMES = {"llama-2-70b": (4, 32), "gpt2": (2, 32)}


def traffic_content(base: dict[str, Any], seed: int, requests: int) -> dict[str, Any]:
    """Return the traffic file of a case, without a rate.

    Parameters
    ----------
    base
        The case.
    seed, requests
        Seed of all chance, and number of requests.
    """
    name = base["model"]
    prompt, longest_prompt, output, longest_output = LENGTHS[name]
    windows, chunk = FRAMES[name]
    ttft_ms, tpot_ms = SLO[name]
    return {
        **base,
        "seed": seed,
        "frame": {"slots": SIZES[name][0], "windows": windows, "chunk_tokens": chunk},
        "slo": {"ttft_ms": ttft_ms, "tpot_ms": tpot_ms},
        "traffic": {
            "arrivals": "gamma",
            "requests": requests,
            "prompt": {
                "kind": "lognormal",
                "median": prompt,
                "sigma": 0.9,
                "max": longest_prompt,
            },
            "output": {
                "kind": "lognormal",
                "median": output,
                "sigma": 0.9,
                "max": longest_output,
            },
        },
    }
