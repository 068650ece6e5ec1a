"""Objectives of the search, and the cost by which strategies are ranked."""

from enum import StrEnum
from typing import NamedTuple

from sharding.parallelism.strategy import Strategy


class Objective(StrEnum):
    """Objective of a search; the values are those of the command line."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"
    CHIPS = "chips"
    ENERGY = "energy"

    @property
    def fills(self) -> bool:
        """Return whether the objective wants as many sequences as fit and pay."""
        return self in (Objective.THROUGHPUT, Objective.ENERGY)


class Cost(NamedTuple):
    """Cost of a strategy: less is better, and no two strategies cost the same.

    Attributes
    ----------
    first
        By objective: cycles of a token; machine cycles for each token; chips; or cycles
        of all chips together for each token, of which each takes the same energy.
    second
        Chips, or the cycles of a token, where the first is equal.
    strategy
        The strategy, the narrower first where both are equal.
    """

    first: float
    second: int
    strategy: Strategy


def cost_of(
    objective: Objective, strategy: Strategy, latency_cycles: int, share_cycles: float
) -> Cost:
    """Return the cost by which the search ranks a strategy.

    Parameters
    ----------
    objective
        What is sought.
    strategy
        What is ranked.
    latency_cycles
        Cycles from a token to the next of the same sequence.
    share_cycles
        Machine cycles for each token.
    """
    if objective is Objective.CHIPS:
        return Cost(strategy.chips, latency_cycles, strategy)
    if objective is Objective.ENERGY:
        return Cost(strategy.chips * share_cycles, latency_cycles, strategy)
    if objective is Objective.THROUGHPUT:
        return Cost(share_cycles, latency_cycles, strategy)
    return Cost(latency_cycles, strategy.chips, strategy)
