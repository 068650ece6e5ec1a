"""Sabotage cases: a valid program with what it must compute, and how one is changed."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from chip.dataflow import Dataflow
from chip.program import Program
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan
from specs.machine import MachineSpec
from topologies.topology import Topology
from workloads.collective import CollectivePlan


class SabotageCase(NamedTuple):
    """Valid program to sabotage.

    Attributes
    ----------
    name
        Name of the schedule in tables.
    program, topology, machine
        The program, and where it holds.
    plan
        The model, graph or collective that it computes; None if it is not proven.
    others
        Programs of the same plan but for one setting, by what is different.
    results
        Executes a program with numbers and returns them; None if it is too large.
    """

    name: str
    program: Program
    topology: Topology
    machine: MachineSpec
    plan: ShardingPlan | WorkloadPlan | CollectivePlan | None = None
    others: Mapping[str, Program] = MappingProxyType({})
    results: Callable[[Program], object] | None = None

    @property
    def family(self) -> str:
        """Return what it is a program of: a model, a collective, or a graph."""
        if self.plan is None:
            return "graph"
        return "collective" if isinstance(self.plan, CollectivePlan) else "model"

    @property
    def flow(self) -> Dataflow:
        """Return what the program states that it computes."""
        assert self.program.dataflow is not None
        return self.program.dataflow


Change = Callable[[SabotageCase, np.random.Generator], Program | None]


class Sabotage(NamedTuple):
    """Sabotage of a program.

    Attributes
    ----------
    kind
        What is wrong.
    variant
        What was changed: ``instructions``, ``statements``, or ``both`` of them so that
        they agree, as if the compiler lied.
    change
        Returns the changed program, None if the case has nothing of the kind.
    needs_proof
        Whether it means something only if the dataflow is proven.
    is_random
        Whether draws differ.
    """

    kind: str
    variant: str
    change: Change
    needs_proof: bool = True
    is_random: bool = True
