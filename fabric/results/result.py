"""Result of a run: tables of integers, and a hash over all of them."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from fabric.results.violation import Violation
from specs.arrays import Ints
from specs.short_repr import html_table, short_repr
from specs.units import PS_PER_US

FAILOVER_PARTS = ("detect", "load", "bring_up", "kv", "start")
"""Parts of the downtime of a failover, in order."""


class IterationRow(NamedTuple):
    """Iteration of one sequence.

    Attributes
    ----------
    sequence, iteration
        Number of the sequence, and of the iteration.
    token, attempt
        Token that it computes, and number of earlier attempts at it.
    start_ps, end_ps
        Global time of its first cycle and of the first after it.
    delivered
        Whether the token is delivered: no uncorrectable error, no violation.
    """

    sequence: int
    iteration: int
    token: int
    attempt: int
    start_ps: int
    end_ps: int
    delivered: bool


class Failover(NamedTuple):
    """Failover of a program from a bad node to a spare one.

    Attributes
    ----------
    sequence, iteration, token
        Attempt that detected the failure; the iteration is -1 if it was detected while
        the KV cache was restored for the token.
    link, chip
        Directed link that failed twice, -1 if the chip failed; the chip that sends on
        it, or that stopped.
    bad_node, spare_node
        The bad node, and the one that replaces it, -1 if it only forwarded.
    stopped_ps
        Global time at which the chips had ended the iterations that had begun.
    loaded_bytes, load_ps
        Bytes that all chips loaded from the host, and the time of loading.
    resumed_ps
        Global time of the first program cycle after it, or of the next failover if the
        KV cache could not be restored.
    detect_ps
        Time from `stopped_ps` until the hosts knew the bad node, before the load.
    bring_up_ps
        Time after the load until the counters had settled over the new tree.
    kv_bytes, kv_passes, kv_ps
        Bytes of the KV cache that were lost, passes of the programs that restored them
        after the bring-up, and the time of that, with their aligned starts.
    """

    sequence: int
    iteration: int
    token: int
    link: int
    chip: int
    bad_node: int
    spare_node: int
    stopped_ps: int
    loaded_bytes: int
    load_ps: int
    resumed_ps: int
    detect_ps: int = 0
    bring_up_ps: int = 0
    kv_bytes: int = 0
    kv_passes: int = 0
    kv_ps: int = 0

    @property
    def duration_ps(self) -> int:
        """Return the downtime of all chips, from the stop to the new start."""
        return self.resumed_ps - self.stopped_ps

    @property
    def start_ps(self) -> int:
        """Return the time of the aligned start, what is left of the downtime."""
        parts_ps = self.detect_ps + self.load_ps + self.bring_up_ps + self.kv_ps
        return self.duration_ps - parts_ps

    @property
    def parts_ps(self) -> dict[str, int]:
        """Return the parts of the downtime in order, by name."""
        spans_ps = (
            self.detect_ps,
            self.load_ps,
            self.bring_up_ps,
            self.kv_ps,
            self.start_ps,
        )
        return dict(zip(FAILOVER_PARTS, spans_ps, strict=True))

    def __str__(self) -> str:
        """Return a sentence on the bad node, its replacement and the downtime."""
        what = f"link {self.link} failed" if self.link >= 0 else "did not answer"
        way_out = f"moved to node {self.spare_node}"
        if self.spare_node < 0:
            way_out = "went around it"
        return (
            f"node {self.bad_node} bad after token {self.token} (chip {self.chip}: "
            f"{what} twice); {way_out} in {self.duration_ps / PS_PER_US:,.1f} us"
        )


class Missing(NamedTuple):
    """Range of tokens of a sequence that were never delivered, with the reason."""

    sequence: int
    first_token: int
    last_token: int
    reason: str

    @property
    def tokens(self) -> int:
        """Return the number of tokens."""
        return self.last_token - self.first_token + 1

    def __str__(self) -> str:
        """Return a sentence on the missing tokens and the reason."""
        which = (
            f"token {self.first_token}"
            if self.tokens == 1
            else f"tokens {self.first_token} to {self.last_token}"
        )
        return f"{which} of sequence {self.sequence} missing: {self.reason}"


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkTable:
    """Totals of each directed link that a train used, sorted by link.

    Parameters
    ----------
    link
        Directed link, shape ``(links,)`` as every column here.
    vectors
        Vectors carried in the run.
    least_slack_ps
        Least slack of all of them.
    corrected, uncorrectable
        Corrected codewords, and trains with an uncorrectable codeword.
    lost
        Trains that never arrived because of a dead link or a stopped chip.
    """

    link: Ints
    vectors: Ints
    least_slack_ps: Ints
    corrected: Ints
    uncorrectable: Ints
    lost: Ints

    __repr__ = short_repr


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChipTable:
    """Totals of each chip, in chip order.

    Parameters
    ----------
    offset_ppm
        Offset of its crystal from nominal, shape ``(chips,)`` as every column here.
    deskews
        RUNTIME_DESKEWs executed.
    most_removed_cycles
        Largest absolute drift that one of them removed.
    """

    offset_ppm: NDArray[np.float64]
    deskews: Ints
    most_removed_cycles: Ints

    __repr__ = short_repr


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """Times of all instructions and trains of one iteration.

    Parameters
    ----------
    sequence, iteration
        Number of the sequence, and of the iteration.
    instruction_ps
        Issue time of each instruction, in the program's order.
    arrival_ps
        Arrival of the first vector of each train.
    """

    sequence: int
    iteration: int
    instruction_ps: Ints
    arrival_ps: Ints

    __repr__ = short_repr


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """Result of a finished run.

    Parameters
    ----------
    iterations
        All iterations, by number, then sequence.
    links, chips
        Tables of the hardware.
    violations
        The first of each kind, up to a limit; the numbers of all are `underflows` and
        `overflows`.
    underflows, overflows
        Trains that were late, and that found the FIFO full.
    replays
        Iterations that repeated a token.
    failovers
        Nodes that were bad, in order.
    missing
        Tokens never delivered, by sequence.
    alignment_epochs, alignment_ps
        Epochs and time of the start.
    start_count
        HAC count at program cycle 0.
    records
        Times of the iterations that were asked for, by number, then sequence.
    events
        Events that the engine processed.
    trajectory_hash
        SHA-256 over every time of every iteration and every deskew.
    """

    iterations: tuple[IterationRow, ...]
    links: LinkTable
    chips: ChipTable
    violations: tuple[Violation, ...]
    underflows: int
    overflows: int
    replays: int
    failovers: tuple[Failover, ...]
    missing: tuple[Missing, ...]
    alignment_epochs: int
    alignment_ps: int
    start_count: int
    records: tuple[Record, ...]
    events: int
    trajectory_hash: str

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def tokens_lost(self) -> int:
        """Return the number of tokens never delivered."""
        return sum(each.tokens for each in self.missing)
