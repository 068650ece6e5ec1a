"""Bounds of inputs: the largest sizes and counts that mean something on these machines.

The largest system has 10,440 chips with 2.4 TB of memory in all. What lies far beyond
is a slip of the keyboard, and would end in hours, gigabytes or an overflow.
"""

from collections.abc import Mapping

LARGEST_NUMBER = 10**15
"""Of any whole number in a file or an option, so that sums of them fit 64 bits."""

MOST_TOKENS = 10_000_000
"""Tokens of a sequence: as many positions as the longest published contexts have."""

MOST_POSITIONS = 100_000_000
"""Positions of a context: a byte of cache for each fills half of a chip's memory."""

MOST_SEQUENCES = 1_000_000
"""Sequences in flight, and sequences that advance together."""

MOST_REQUESTS = 5_000_000
"""Requests of a run of traffic: half a minute, and 3 GB for the table of them."""

MOST_REQUESTS_OF_EVENTS = 50_000
"""Requests that are served event by event: some 300 a second, and 100 MB."""

MOST_ELEMENTS = 10**12
"""Elements of one tensor: at four bits, a fifth of the memory of the largest system."""

MOST_OF_MODEL: Mapping[str, int] = {
    "hidden_size": 10**6,
    "intermediate_size": 10**8,
    "layers": 10_000,
    "attention_heads": 100_000,
    "kv_heads": 100_000,
    "head_dim": 100_000,
    "vocabulary_size": 10**8,
    "experts": 2_000,
    "max_context_tokens": 10**12,
    "position_rows": MOST_POSITIONS,
    "token_types": 10**6,
    "window_tokens": 10**12,
}
"""Sizes of a model: far above those of the largest published ones, which have some 500
experts, 126 layers and contexts of 10 M positions."""
