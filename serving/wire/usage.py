"""Usage of an answer: its tokens, and its times on the simulated machine.

The times are simulated whatever the clock of the endpoint is, so that they show no
noise of the computer that the simulation runs on.
"""

from dataclasses import dataclass
from typing import Any, final

_PS_PER_S = 10**12


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and simulated times of an answer.

    Parameters
    ----------
    prompt_tokens, completion_tokens
        Tokens read and made.
    queue_ps
        From the arrival to the beginning of the prompt.
    prompt_ps
        From the beginning of the prompt to the first token.
    completion_ps
        From the first token to the last one: 0 for one token.
    sram_cached_tokens, dram_cached_tokens
        Tokens of the prompt that were restored from a cache on the chips and in the
        memory of the hosts, not computed.
    """

    prompt_tokens: int
    completion_tokens: int
    queue_ps: int
    prompt_ps: int
    completion_ps: int
    sram_cached_tokens: int = 0
    dram_cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Return the tokens of the prompt and of the answer."""
        return self.prompt_tokens + self.completion_tokens

    def body(self) -> dict[str, Any]:
        """Return the usage as an answer has it, times in seconds.

        ``total_time`` is ``prompt_time + completion_time``: the queue is not in it.
        """
        cached = self.sram_cached_tokens + self.dram_cached_tokens
        return {
            "queue_time": self.queue_ps / _PS_PER_S,
            "prompt_tokens": self.prompt_tokens,
            "prompt_time": self.prompt_ps / _PS_PER_S,
            "completion_tokens": self.completion_tokens,
            "completion_time": self.completion_ps / _PS_PER_S,
            "total_tokens": self.total_tokens,
            "total_time": (self.prompt_ps + self.completion_ps) / _PS_PER_S,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": 0},
        }

    def cache_body(self) -> dict[str, int]:
        """Return where cached tokens came from, as ``x_groq`` has it."""
        return {
            "sram_cached_tokens": self.sram_cached_tokens,
            "dram_cached_tokens": self.dram_cached_tokens,
        }
