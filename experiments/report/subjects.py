"""Facts of what was asked: inputs, model, machine and plan, for every summary."""

from typing import Any

from experiments.report.records import MachineFacts, ModelFacts, PlanFacts
from experiments.run.preparation import Prepared
from experiments.run.workload import PreparedWorkload
from specs.scenario import MODEL_KEYS, Scenario
from topologies.metrics.summary import describe

# What a scenario says of a prompt.
_OF_A_PROMPT = {"prompt", "prefill_chunk", "context_bucket"}


def inputs_block(scenario: Scenario) -> dict[str, Any]:
    """Return the inputs to report: of a prompt or a model only if there is one."""
    absent = set() if scenario.prompt else set(_OF_A_PROMPT)
    if scenario.workload is not None:
        absent.update(MODEL_KEYS)
    return scenario.model_dump(exclude=absent)


def model_facts(prepared: Prepared) -> ModelFacts:
    """Return the facts of a model for a report: its name, layers and size."""
    model = prepared.model
    return ModelFacts(
        name=model.name,
        layers=model.layers,
        parameters=model.parameters,
        weight_bytes=prepared.plan.weight_bytes,
        weight_formats=prepared.plan.task.formats_text,
        kv_cache_format=prepared.plan.task.cached_format.value,
    )


def machine_facts(prepared: Prepared | PreparedWorkload) -> MachineFacts:
    """Return the facts of a machine for a report: its name, size and distances."""
    topology = prepared.topology
    described = describe(topology)
    return MachineFacts(
        name=prepared.machine.name,
        topology=topology.name,
        clock_hz=prepared.machine.chip.clock_hz,
        chips=topology.chips,
        active_chips=topology.active_chips,
        links=topology.links,
        diameter_hops=described.diameter_hops,
        mean_hops=described.mean_hops,
    )


def plan_facts(prepared: Prepared | PreparedWorkload) -> PlanFacts:
    """Return the facts of a plan for a report: the split and how full the chips are."""
    plan = prepared.plan
    split: dict[str, Any]
    if isinstance(prepared, Prepared):
        strategy, placed = prepared.plan.strategy, prepared.placed
        split = {
            "tensor": strategy.tensor,
            "pipeline": strategy.pipeline,
            "data": strategy.data,
            "expert": strategy.expert,
            "attention": prepared.plan.task.group.attention,
            "layout": strategy.layout,
            "routing": strategy.routing,
            "placement": prepared.scenario.placement,
            "placement_gain_cycles": placed.gain_cycles if placed else 0,
        }
    else:
        grid = prepared.plan.strategy
        split = {"column": grid.column, "row": grid.row, "pipeline": grid.pipeline}
    return PlanFacts(
        strategy=str(plan.strategy),
        split=split,
        chips_used=plan.strategy.chips,
        fullest_chip_bytes=plan.fullest_chip_bytes,
        sram_bytes_per_chip=prepared.machine.chip.sram_bytes,
    )
