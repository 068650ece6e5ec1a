"""What a run returns: tables of whole numbers, and a hash over all of them."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


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
    """

    link: Ints
    vectors: Ints
    least_slack_ps: Ints
    corrected: Ints
    uncorrectable: Ints


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
    replays, tokens_lost
        Iterations that repeated a token, and tokens never delivered.
    alignment_epochs, alignment_ps
        What the start took.
    start_count
        HAC count at program cycle 0.
    records
        Times of the iterations that were asked for.
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
    tokens_lost: int
    alignment_epochs: int
    alignment_ps: int
    start_count: int
    records: tuple[Record, ...]
    events: int
    trajectory_hash: str
