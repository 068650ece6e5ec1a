"""What a run returns: tables of whole numbers, and a hash over all of them."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from specs.units import PS_PER_US


class IterationRow(NamedTuple):
    """One iteration of one sequence.

    Attributes
    ----------
    sequence, iteration
        Which one.
    token, attempt
        The token it computes, and how often that was tried before.
    start_ps, end_ps
        Global time of its first cycle and of the first after it.
    delivered
        Whether the token is good: no uncorrectable error, no violation.
    """

    sequence: int
    iteration: int
    token: int
    attempt: int
    start_ps: int
    end_ps: int
    delivered: bool


class Failover(NamedTuple):
    """A node marked bad, and the program moved to a spare one.

    Attributes
    ----------
    sequence, iteration, token
        The attempt after which it was found.
    link, chip
        Directed link that failed twice, -1 if it was the chip; the chip that sends on
        it, or that stopped.
    bad_node, spare_node
        The node, and the one that stands in for it, -1 if it only forwarded.
    stopped_ps
        Global time at which the chips had ended what they had begun.
    loaded_bytes, load_ps
        Bytes that all chips got from the host, and how long that took.
    resumed_ps
        Global time of the first program cycle after it.
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

    @property
    def duration_ps(self) -> int:
        """Return the time without any chip at work: load and start."""
        return self.resumed_ps - self.stopped_ps

    def __str__(self) -> str:
        """Return what was bad, what stands in for it, and what it took."""
        what = f"link {self.link} failed" if self.link >= 0 else "did not answer"
        way_out = f"moved to node {self.spare_node}"
        if self.spare_node < 0:
            way_out = "went around it"
        return (
            f"node {self.bad_node} bad after token {self.token} (chip {self.chip}: "
            f"{what} twice); {way_out} in {self.duration_ps / PS_PER_US:,.1f} us"
        )


class Missing(NamedTuple):
    """Tokens of a sequence that were never delivered, and why."""

    sequence: int
    first_token: int
    last_token: int
    reason: str

    @property
    def tokens(self) -> int:
        """Return how many they are."""
        return self.last_token - self.first_token + 1

    def __str__(self) -> str:
        """Return which tokens are missing, and why."""
        which = (
            f"token {self.first_token}"
            if self.tokens == 1
            else f"tokens {self.first_token} to {self.last_token}"
        )
        return f"{which} of sequence {self.sequence} missing: {self.reason}"


class Violation(NamedTuple):
    """A vector that was not there when taken, or found the FIFO full.

    Attributes
    ----------
    kind
        ``underflow`` or ``overflow``.
    sequence, iteration
        Where in the run.
    link, source, target
        Directed link and its ends.
    cycle
        Program cycle of the RECEIVE within the token.
    margin_ps
        Slack of the train's latest vector; negative in an underflow.
    vectors
        Vectors in the FIFO; 0 in an underflow.
    """

    kind: str
    sequence: int
    iteration: int
    link: int
    source: int
    target: int
    cycle: int
    margin_ps: int
    vectors: int

    def __str__(self) -> str:
        """Return what happened where, by how much, and the remedy."""
        where = (
            f"{self.kind} on link {self.link} (chip {self.source} to {self.target}) at "
            f"cycle {self.cycle} of iteration {self.iteration}"
        )
        if self.kind == "underflow":
            return (
                f"{where}: {-self.margin_ps} ps late; deskew more often "
                f"(deskew.interval_epochs) or plan for more drift (clock.drift_ppm)"
            )
        return (
            f"{where}: {self.vectors} vectors wait; raise link.fifo_vectors to "
            f"{self.vectors} or deskew more often (deskew.interval_epochs)"
        )


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinkTable:
    """What happened on each directed link that a train used, sorted by link.

    Parameters
    ----------
    link
        Directed link, shape ``(links,)`` as every column here.
    vectors
        Vectors carried in the run.
    least_slack_ps
        Least slack of all of them.
    corrected, uncorrectable
        Codewords repaired, and trains with one that could not be.
    lost
        Trains that never arrived, since the link or a chip was out of order.
    """

    link: Ints
    vectors: Ints
    least_slack_ps: Ints
    corrected: Ints
    uncorrectable: Ints
    lost: Ints


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChipTable:
    """What is known of each chip after a run, in chip order.

    Parameters
    ----------
    offset_ppm
        How far its crystal is from nominal, shape ``(chips,)`` as every column here.
    deskews
        RUNTIME_DESKEWs executed.
    most_removed_cycles
        Largest drift that one of them removed, either way.
    """

    offset_ppm: NDArray[np.float64]
    deskews: Ints
    most_removed_cycles: Ints


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """Every time of one iteration.

    Parameters
    ----------
    sequence, iteration
        Which one.
    instruction_ps
        When each instruction was issued, in the program's order.
    arrival_ps
        When the first vector of each train arrived.
    """

    sequence: int
    iteration: int
    instruction_ps: Ints
    arrival_ps: Ints


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunResult:
    """A finished run.

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
        What the start took.
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

    @property
    def tokens_lost(self) -> int:
        """Return the number of tokens never delivered."""
        return sum(each.tokens for each in self.missing)
