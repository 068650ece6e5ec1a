"""Service times: what decoding and prompts take on a compiled pipeline, in cycles.

Every number is read from a schedule whose certificate is named beside it.
"""

from dataclasses import dataclass, fields
from typing import final

import numpy as np

from serving.cycle_time import CycleTime
from specs.arrays import Floats, Ints
from specs.errors import SpecError
from specs.host_link import HostSpec

# A token's number as it crosses the host link: 32 bits.
TOKEN_BYTES = 4


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class ServiceTimes:
    """Times of a compiled pipeline per context bucket; arrays of shape ``(buckets,)``.

    Parameters
    ----------
    clock_hz
        Nominal clock of the chips.
    host
        Link from the host to the chips, which a request crosses both ways.
    slots
        Sequences in flight that the decode programs are compiled for.
    chunk_tokens
        Positions of a prompt that a pass computes together.
    turn_tokens
        Positions that a decode turn computes: 1, or K + 1 with K drafted tokens.
    context_tokens
        Upper end of each context bucket, ascending.
    slot_cycles
        Initiation interval of the decode program: from one sequence to the next.
    period_cycles
        From a token of a sequence to its next, without prompts.
    token_cycles
        From the start of a token at the first stage until it is back there.
    window_cycles
        What the slowest stage takes for a chunk of a prompt, and the epoch in which its
        chips deskew: how soon another pass may follow.
    pass_cycles
        From the start of a chunk until the token that it chooses is at the first stage.
    token_lag_cycles, pass_lag_cycles
        What a token takes longer behind a chunk, and a chunk behind a token, if all
        stages keep the order of the first.
    paced_windows, paced_pass_cycles
        By how many windows a chunk falls behind tokens that go on at their own pace,
        and what its pass takes beside these.
    change_cycles
        Change from one program to another, as between context buckets.
    kv_bytes_per_token
        Bytes of keys and values of a position on the chip that holds the most of them.
    decode_certificates, chunk_certificates
        Digests of the certificates of the programs, one for each bucket.
    turn_j, chunk_j
        Dynamic energy of a decode turn and of a chunk on all chips, in J; None if it
        was not counted.
    """

    clock_hz: int
    host: HostSpec
    slots: int
    chunk_tokens: int
    turn_tokens: int
    context_tokens: Ints
    slot_cycles: Ints
    period_cycles: Ints
    token_cycles: Ints
    window_cycles: Ints
    pass_cycles: Ints
    token_lag_cycles: Ints
    pass_lag_cycles: Ints
    paced_windows: Ints
    paced_pass_cycles: Ints
    change_cycles: int
    kv_bytes_per_token: int
    decode_certificates: tuple[str, ...]
    chunk_certificates: tuple[str, ...]
    turn_j: Floats | None = None
    chunk_j: Floats | None = None

    def __post_init__(self) -> None:
        """Freeze the arrays, and refuse times that no pipeline has.

        Raises
        ------
        SpecError
            If the arrays differ in length, are empty, or buckets do not ascend.
        """
        buckets = len(self.context_tokens)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray | tuple) and len(value) != buckets:
                raise SpecError(
                    f"service times: {field.name} has {len(value)} buckets and "
                    f"context_tokens {buckets}; give one value for each bucket"
                )
            if isinstance(value, np.ndarray):
                value.setflags(write=False)
        if not buckets or (np.diff(self.context_tokens) <= 0).any():
            raise SpecError(
                f"service times: context buckets {self.context_tokens.tolist()} must "
                f"ascend, and there must be one at least"
            )

    @property
    def cycle_time(self) -> CycleTime:
        """Return the length of a cycle of the chips."""
        return CycleTime.of(self.clock_hz)

    @property
    def most_context_tokens(self) -> int:
        """Return the positions that a sequence may have at most."""
        return int(self.context_tokens[-1])

    def bucket_of(self, context_tokens: int) -> int:
        """Return the number of the bucket that holds a context.

        Raises
        ------
        SpecError
            If none does.
        """
        if context_tokens > self.most_context_tokens:
            raise SpecError(
                f"a context of {context_tokens} positions is beyond the largest bucket "
                f"of {self.most_context_tokens}; shorten the request or plan for more"
            )
        return int(np.searchsorted(self.context_tokens, context_tokens))

    def host_in_ps(self, prompt_tokens: int) -> int:
        """Return the time of a request's call: latency, and its prompt over PCIe."""
        return self.host.request_ps(TOKEN_BYTES * prompt_tokens)

    def hosts_in_ps(self, prompt_tokens: Ints) -> Ints:
        """Return the times of the calls of many requests, as `host_in_ps` does."""
        lengths, of_each = np.unique(prompt_tokens, return_inverse=True)
        times = [self.host_in_ps(length) for length in lengths.tolist()]
        return np.array(times, dtype=np.int64)[of_each]

    @property
    def host_out_ps(self) -> int:
        """Return the time of a token from the chips to the host."""
        return self.host.request_ps(TOKEN_BYTES)

    def restore_ps(self, cached_tokens: int) -> int:
        """Return the time to restore cached positions from the hosts over PCIe.

        All chips load at once; the one that holds the most of each position is last.
        """
        if not cached_tokens:
            return 0
        return self.host.request_ps(self.kv_bytes_per_token * cached_tokens)
