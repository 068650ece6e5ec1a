"""Preparation of a workload: its plan on the machine, and its schedule."""

from dataclasses import dataclass
from typing import final

import numpy as np

from compiler.ir.schedule import WorkloadSchedule
from compiler.search.graph_search import best_of, best_schedule
from experiments.run.plan_csv import SUFFIX
from experiments.run.preparation import AUTO
from experiments.run.scenario_inputs import MODEL_SETTING, machine_of, topology_of
from sharding.parallelism.grid import parse_grids
from sharding.workloads.workload_cost import least_mxm_cycles, workload_work
from sharding.workloads.workload_plan import WorkloadPlan
from specs.errors import PlanError, SpecError
from specs.machine import MachineSpec
from specs.scenario import Scenario
from specs.short_repr import html_table, short_repr
from topologies.topology import Topology
from workloads.graphs.workload import Workload, load_workload


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PreparedWorkload:
    """A scenario of a workload with everything that it names at hand.

    Parameters
    ----------
    scenario
        What was asked.
    machine, topology
        What it runs on.
    schedule
        What the compiler made of its plan.
    """

    scenario: Scenario
    machine: MachineSpec
    topology: Topology
    schedule: WorkloadSchedule

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def plan(self) -> WorkloadPlan:
        """Return which chip holds what."""
        return self.schedule.plan

    @property
    def workload(self) -> Workload:
        """Return what is computed, for the whole batch."""
        return self.plan.workload

    @property
    def name(self) -> str:
        """Return what is computed, in a word."""
        return self.workload.name

    @property
    def makes_tokens(self) -> bool:
        """Return whether an iteration is a token: never."""
        return False

    @property
    def context_tokens(self) -> int:
        """Return the positions that an iteration attends to: there are none."""
        return 0


def workload_of_scenario(scenario: Scenario) -> Workload:
    """Return the workload that a scenario to run names, for its whole batch.

    Raises
    ------
    SpecError
        If there is no such workload, or it cannot be computed.
    """
    assert scenario.workload is not None
    workload = load_workload(scenario.workload)
    return workload.batched(scenario.batch) if scenario.batch > 1 else workload


def prepare_workload(
    scenario: Scenario, topology: Topology | None = None
) -> PreparedWorkload:
    """Return a workload prepared to run: split over chips, one iteration scheduled.

    Parameters
    ----------
    scenario
        What is asked; it names a workload.
    topology
        Wiring to use instead of the one that the scenario names.

    Raises
    ------
    RackError
        If a name, value, wiring or strategy is wrong, the workload does not fit, or no
        schedule holds.
    """
    for path in scenario.settings:
        if path.startswith(MODEL_SETTING):
            raise SpecError(f"setting {path}: a workload is no model; remove it")
    machine = machine_of(scenario)
    workload = workload_of_scenario(scenario)
    if scenario.strategy.endswith(SUFFIX):
        raise PlanError(
            f"strategy {scenario.strategy}: plans of models are read, not those of "
            f"workloads; name a split such as column=4,row=2, or auto"
        )
    wired = topology or topology_of(scenario, machine)
    chips = wired.active.astype(np.int64)
    if scenario.strategy == AUTO:
        schedule = best_schedule(workload, machine, wired, chips[: scenario.chips])
    else:
        grids = parse_grids(scenario.strategy, scenario.chips)
        schedule = best_of(grids, workload, machine, wired, chips)
    return PreparedWorkload(
        scenario=scenario, machine=machine, topology=wired, schedule=schedule
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadFacts:
    """A workload's size, what it takes, and the share of the matrix units' peak."""

    name: str
    operators: int
    tensors: int
    weight_bytes: int
    macs: int
    read_bytes: int
    written_bytes: int
    mxm_utilisation: float


def workload_facts(prepared: PreparedWorkload) -> WorkloadFacts:
    """Return the record of a workload prepared to run."""
    workload, machine = prepared.workload, prepared.machine
    cost = workload_work(workload, machine.formats)
    least = least_mxm_cycles(workload, machine) / prepared.plan.strategy.chips
    return WorkloadFacts(
        name=prepared.name,
        operators=len(workload.operators),
        tensors=len(workload.tensors),
        weight_bytes=prepared.plan.weight_bytes,
        macs=cost.macs,
        read_bytes=cost.read_bytes,
        written_bytes=cost.written_bytes,
        mxm_utilisation=least / prepared.schedule.latency_cycles,
    )
