"""Objectives of the search, and the cost by which strategies are ranked."""

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

from chip.program import Program
from compiler.energy.token_energy import TokenEnergy, token_energy
from compiler.ir.program_emission import Emitted
from sharding.parallelism.strategy import Strategy
from sharding.weights.task import Task
from topologies.topology import Topology


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
        By objective: cycles of a token; machine cycles for each token; chips; or the
        energy of a token in J. Where no power is published that is cycles of all chips
        together for each token, as if each took the same energy.
    second
        Chips, or the cycles of a token, where the first is equal.
    strategy
        The strategy, the narrower first where both are equal.
    """

    first: float
    second: int
    strategy: Strategy


def cost_of(
    objective: Objective,
    strategy: Strategy,
    latency_cycles: int,
    share_cycles: float,
    joules: float | None = None,
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
    joules
        Energy of a token, None if it is not known or not sought.
    """
    if objective is Objective.CHIPS:
        return Cost(strategy.chips, latency_cycles, strategy)
    if objective is Objective.ENERGY:
        first = strategy.chips * share_cycles if joules is None else joules
        return Cost(first, latency_cycles, strategy)
    if objective is Objective.THROUGHPUT:
        return Cost(share_cycles, latency_cycles, strategy)
    return Cost(latency_cycles, strategy.chips, strategy)


class CostModel(NamedTuple):
    """Cost model of a search: the costs of strategies for one task.

    Attributes
    ----------
    objective
        What is sought.
    energy
        Energy of a token, if that is sought and the power of a chip is published.
    """

    objective: Objective
    energy: TokenEnergy | None = None

    def at_least(
        self, strategy: Strategy, latency_cycles: int, share_cycles: float
    ) -> Cost:
        """Return a lower bound of the cost of a strategy, from those of its cycles."""
        joules = None
        if self.energy is not None:
            joules = self.energy.at_least(strategy.chips, share_cycles)
        return cost_of(self.objective, strategy, latency_cycles, share_cycles, joules)

    def exact(
        self,
        strategy: Strategy,
        latency_cycles: int,
        share_cycles: float,
        program: Callable[[], Program | Emitted],
    ) -> Cost:
        """Return the cost of a strategy whose cycles are known.

        Parameters
        ----------
        strategy, latency_cycles, share_cycles
            As for `cost_of`.
        program
            Makes its program, which is only asked for if its energy counts.
        """
        joules = None
        if self.energy is not None:
            made, replicas = program(), strategy.data
            joules = self.energy.of_program(made, share_cycles, replicas)
        return cost_of(self.objective, strategy, latency_cycles, share_cycles, joules)


def cost_model(objective: Objective, task: Task, topology: Topology) -> CostModel:
    """Return the cost model of a search for a task on a topology."""
    sought = objective is Objective.ENERGY
    return CostModel(objective, token_energy(task, topology) if sought else None)
