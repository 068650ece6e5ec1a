"""From a scenario to a model on a machine, split and scheduled."""

from dataclasses import dataclass
from typing import final

import numpy as np

from compiler.schedule import Schedule
from compiler.token import compile_token
from sharding.plan import ShardingPlan, plan_sharding
from sharding.strategy import parse_strategy
from sharding.task import Task
from specs.machine import MachineSpec, load_machine
from specs.model import ModelSpec, load_model
from specs.scenario import Scenario
from topologies.spares import select_with_spares
from topologies.topology import Topology


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
    """

    scenario: Scenario
    model: ModelSpec
    machine: MachineSpec
    topology: Topology
    plan: ShardingPlan


def machine_of(scenario: Scenario) -> MachineSpec:
    """Return the scenario's machine with its settings."""
    return load_machine(scenario.machine).with_settings(scenario.settings, "setting")


def topology_of(scenario: Scenario, machine: MachineSpec) -> Topology:
    """Return the scenario's wiring, its first chips active and its spares idle."""
    return select_with_spares(
        scenario.chips,
        scenario.topology,
        spare_nodes=machine.spares,
        ports_per_chip=machine.chip.ports,
    )


def plan_scenario(scenario: Scenario, topology: Topology | None = None) -> Prepared:
    """Return the model of a scenario split over the chips of its machine.

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
    model = load_model(scenario.model)
    machine = machine_of(scenario)
    strategy = parse_strategy(scenario.strategy, scenario.chips)
    if topology is None:
        topology = topology_of(scenario, machine)
    task = Task(model, machine, strategy.tensor, scenario.context, scenario.batch)
    chips = topology.active.astype(np.int64)
    plan = plan_sharding(task, strategy, chips, sequences=scenario.sequences)
    return Prepared(
        scenario=scenario, model=model, machine=machine, topology=topology, plan=plan
    )


def compile_scenario(
    scenario: Scenario, topology: Topology | None = None
) -> tuple[Prepared, Schedule]:
    """Return a planned scenario and the schedule of one of its tokens.

    Parameters are those of `plan_scenario`.

    Raises
    ------
    RackError
        As `plan_scenario`, or if no schedule holds.
    """
    prepared = plan_scenario(scenario, topology)
    return prepared, compile_token(prepared.plan, prepared.topology)
