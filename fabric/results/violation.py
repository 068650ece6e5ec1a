"""Violation of the schedule: a late train or a full receive FIFO."""

from typing import NamedTuple


class Violation(NamedTuple):
    """Violation by a train: a vector that was late, or found the FIFO full.

    Attributes
    ----------
    kind
        ``underflow`` or ``overflow``.
    sequence, iteration
        Number of the sequence, and of the iteration in the run.
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
        """Return a sentence on the violation, its size, and the remedy."""
        where = (
            f"{self.kind} on link {self.link} (chip {self.source} to {self.target}) at "
            f"cycle {self.cycle} of iteration {self.iteration}"
        )
        if self.kind == "underflow":
            return (
                f"{where}: {-self.margin_ps} ps late; deskew more often "
                f"(deskew.interval_epochs), or plan for more drift (clock.drift_ppm) "
                f"or jitter (link.jitter_cycles)"
            )
        return (
            f"{where}: {self.vectors} vectors wait; raise link.fifo_vectors to "
            f"{self.vectors} or deskew more often (deskew.interval_epochs)"
        )
