"""Preparation of a model: the plan of a scenario on its machine, and its schedule."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, final

import numpy as np

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from compiler.search.placement_search import PlacedSchedule, best_placed, fastest_placed
from compiler.search.search_result import SearchResult
from experiments.run.plan_csv import SUFFIX, read_plan
from experiments.run.scenario_inputs import machine_of, model_of, topology_of
from sharding.parallelism.strategy import parse_strategy
from sharding.placement.default_placement import placed_chips
from sharding.placement.mirror_nodes import check_mirror_nodes
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.scenario import Scenario
from specs.short_repr import html_table, short_repr
from topologies.topology import Topology

# The strategy that stands for the best one.
AUTO = "auto"
# The placement that takes chips in order.
NAIVE = "naive"


class Searched(NamedTuple):
    """A search that was done: what it found, and the seconds that it took."""

    found: SearchResult
    wall_s: float

    def __repr__(self) -> str:
        return short_repr(self)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Prepared:
    """A scenario with everything that it names at hand.

    Parameters
    ----------
    scenario
        What was asked.
    model, machine, topology
        What runs on what.
    plan
        Which chip holds which slice.
    searched
        The search for it, None if the scenario names a strategy.
    placed
        The choice of its chips, None if they are taken in order.
    """

    scenario: Scenario
    model: ModelSpec
    machine: MachineSpec
    topology: Topology
    plan: ShardingPlan
    searched: Searched | None = None
    placed: PlacedSchedule | None = None

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def name(self) -> str:
        """Return what is computed, in a word."""
        return self.model.name

    @property
    def makes_tokens(self) -> bool:
        """Return whether an iteration is a token; else it is a pass."""
        return not self.model.structure.encoder

    @property
    def context_tokens(self) -> int:
        """Return the positions that an iteration attends to."""
        return self.scenario.context


def plan_scenario(scenario: Scenario, topology: Topology | None = None) -> Prepared:
    """Return a scenario's model planned to run: split over the chips of its machine.

    Parameters
    ----------
    scenario
        What is asked.
    topology
        Wiring to use instead of the one that the scenario names.

    Raises
    ------
    RackError
        If a name, value, wiring or strategy is wrong, or the model does not fit.
    """
    if scenario.workload is not None:
        raise PlanError(
            f"workload {scenario.workload}: this command is for models; use groqrack "
            f"simulate or verify"
        )
    model = model_of(scenario)
    machine = machine_of(scenario)
    if scenario.strategy == AUTO:
        wired = topology or topology_of(scenario, machine)
        return _checked(_placed(_searched(scenario, model, machine, wired)))
    if scenario.strategy.endswith(SUFFIX):
        topology = topology or topology_of(scenario, machine)
        task = Task(model, machine, 1, scenario.context, scenario.batch)
        chips = topology.active.astype(np.int64)
        file = Path(scenario.strategy)
        plan = read_plan(file, task, chips, sequences=scenario.sequences)
    else:
        strategy = parse_strategy(scenario.strategy, scenario.chips)
        topology = topology or topology_of(scenario, machine)
        task = Task(model, machine, 1, scenario.context, scenario.batch)
        task = task.split_as(strategy)
        chips = placed_chips(topology, strategy)
        plan = plan_sharding(
            task,
            strategy,
            chips,
            sequences=scenario.sequences,
            there=topology.active_chips,
        )
    prepared = Prepared(
        scenario=scenario,
        model=model,
        machine=machine,
        topology=topology,
        plan=plan,
    )
    return _checked(_placed(prepared))


def _checked(prepared: Prepared) -> Prepared:
    """Return a scenario to run, or refuse mirrors that fail with what they mirror."""
    check_mirror_nodes(prepared.plan, prepared.topology)
    return prepared


def compile_scenario(
    scenario: Scenario, topology: Topology | None = None
) -> tuple[Prepared, Schedule]:
    """Return a scenario planned to run, and the schedule of one of its tokens.

    Parameters are those of `plan_scenario`.

    Raises
    ------
    RackError
        As `plan_scenario`, or if no schedule holds.
    """
    prepared = plan_scenario(scenario, topology)
    return prepared, compile_prepared(prepared)


def compile_prepared(prepared: Prepared) -> Schedule:
    """Return the schedule of a scenario planned to run, compiled only if it is missing.

    Raises
    ------
    ScheduleError
        If no schedule holds.
    """
    if prepared.placed is not None:
        return prepared.placed.schedule
    if prepared.searched is not None:
        return prepared.searched.found.schedule
    return compile_token(prepared.plan, prepared.topology)


def _placed(prepared: Prepared) -> Prepared:
    """Return a scenario to run, planned on the chips that its placement asks for.

    Raises
    ------
    RackError
        If a plan file is to be placed, which names its chips, or no schedule holds.
    """
    scenario = prepared.scenario
    if scenario.placement == NAIVE:
        return prepared
    if scenario.strategy.endswith(SUFFIX):
        raise PlanError(
            f"{scenario.strategy} says which chips hold what; leave out --placement "
            f"{scenario.placement}, or name a strategy such as {prepared.plan.strategy}"
        )
    schedules = [compile_prepared(prepared)]
    if prepared.searched is not None and scenario.objective == Objective.LATENCY.value:
        # On other chips the second best may well be the best.
        plan = fastest_placed(prepared.searched.found)
        if plan.strategy != prepared.plan.strategy:
            schedules.append(compile_token(plan, prepared.topology))
    found = min(
        (best_placed(schedule) for schedule in schedules),
        key=lambda placed: placed.schedule.latency_cycles,
    )
    return replace(
        prepared,
        topology=found.schedule.topology,
        plan=found.schedule.plan,
        placed=found,
    )


def _searched(
    scenario: Scenario, model: ModelSpec, machine: MachineSpec, topology: Topology
) -> Prepared:
    """Return a scenario to run with the best strategy, and the sequences for it."""
    began = time.perf_counter()
    found = best_strategy(
        Task(model, machine, 1, scenario.context, scenario.batch),
        topology,
        objective=Objective(scenario.objective),
        sequences=scenario.sequences,
    )
    plan = found.schedule.plan
    return Prepared(
        scenario=scenario.model_copy(update={"sequences": plan.sequences}),
        model=model,
        machine=machine,
        topology=topology,
        plan=plan,
        searched=Searched(found, time.perf_counter() - began),
    )
