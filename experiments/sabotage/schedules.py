"""Schedules to sabotage: models, graphs and collectives, all of them proven."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from compiler.compile_collective import compile_collective
from compiler.compile_decode import compile_token
from compiler.compile_prefill import compile_prefill
from experiments.execution.collective_execution import largest_difference
from experiments.run.preparation import compile_scenario
from experiments.run.workload import prepare_workload
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.first_token import first_iteration, first_token
from experiments.sabotage.resource_kinds import SHORTER, SMALLER
from sharding.parallelism.strategy import Strategy
from sharding.planner.chunked_prefill import pass_plan
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from specs.scenario import Scenario
from topologies.selection import select_topology
from topologies.topology import Topology
from workloads.collective import Collective

_GPT2 = Scenario(model="gpt2", chips=4, strategy="tensor=2,pipeline=2", context=128)
_BERT = Scenario(
    model="bert-large", chips=20, strategy="tensor=4,pipeline=5", context=128
)
_MIXTRAL = Scenario(
    model="mixtral-8x7b",
    chips=264,
    strategy="tensor=12,expert=4,pipeline=22",
    context=512,
)
_LLAMA = Scenario(
    model="llama-2-70b", chips=576, strategy="tensor=8,pipeline=72", context=512
)


_SMALL = ModelSpec(
    name="small",
    family="llama",
    hidden_size=64,
    intermediate_size=128,
    layers=3,
    attention_heads=4,
    kv_heads=2,
    head_dim=16,
    vocabulary_size=256,
    tied_embeddings=False,
    experts=1,
    experts_per_token=1,
    max_context_tokens=128,
)
_EXPERTS = _SMALL.model_copy(
    update={"family": "mixtral", "experts": 4, "experts_per_token": 2}
)
# Wide enough that products take longer than they gain beside exchanges.
_WIDE = _SMALL.model_copy(
    update={"hidden_size": 640, "intermediate_size": 2560, "layers": 2}
)
_SMALL_CONTEXT = 32


def quick_schedules() -> Iterator[SabotageCase]:
    """Return the schedules for sabotage that compile in a moment.

    Decoders, experts and the last of those that are proven are executed with numbers.
    """
    yield _small("small decoder", _SMALL, Strategy(tensor=2, pipeline=2))
    yield overlapped_decoder()
    yield _small("small experts", _EXPERTS, Strategy(tensor=4, pipeline=1, expert=2))
    yield _small_prompt()
    yield _small_lstm()
    yield next(collectives())


def schedules() -> Iterator[SabotageCase]:
    """Return all schedules for sabotage."""
    yield from quick_schedules()
    yield _model(_GPT2)
    # Some of its stages end inside a feed-forward block.
    yield _model(_BERT)
    yield _model(_MIXTRAL)
    yield _model(_LLAMA)
    yield _workload()
    yield from islice(collectives(), 1, None)


def _model(scenario: Scenario) -> SabotageCase:
    """Return the case of a model, with programs for less work than was asked."""
    twice = scenario.model_copy(update={"batch": 2})
    prepared, schedule = compile_scenario(twice)
    others = {
        SMALLER: scenario,
        SHORTER: twice.model_copy(update={"context": twice.context // 2}),
    }
    return SabotageCase(
        scenario.model,
        schedule.program,
        prepared.topology,
        prepared.machine,
        prepared.plan,
        {kind: compile_scenario(each)[1].program for kind, each in others.items()},
    )


def _planned(
    model: ModelSpec, strategy: Strategy, *, overlap: bool = False
) -> tuple[ShardingPlan, Topology]:
    """Return the plan of a small model, and its topology."""
    topology = select_topology(strategy.chips)
    # Clocks that do not drift need no deskews, so that their rules catch nothing.
    settings = {"clock.model": "ideal", "compiler.overlap": overlap}
    machine = load_machine().with_settings(settings)
    task = Task(model, machine, 1, _SMALL_CONTEXT, 1).split_as(strategy)
    chips = topology.active.astype(np.int64)
    return plan_sharding(task, strategy, chips, sequences=1), topology


def _small(
    name: str, model: ModelSpec, strategy: Strategy, *, overlap: bool = False
) -> SabotageCase:
    """Return the case of a small model, which is executed with numbers."""
    plan, topology = _planned(model, strategy, overlap=overlap)
    shorter = plan.task._replace(context=_SMALL_CONTEXT // 2)
    return SabotageCase(
        name,
        compile_token(plan, topology).program,
        topology,
        plan.task.machine,
        plan,
        {SHORTER: compile_token(pass_plan(plan, shorter), topology).program},
        first_token(plan),
    )


def overlapped_decoder() -> SabotageCase:
    """Return the case of a decoder whose products run beside exchanges."""
    strategy = Strategy(tensor=2, pipeline=1)
    return _small("overlapped decoder", _WIDE, strategy, overlap=True)


def _small_prompt() -> SabotageCase:
    """Return the case of a prompt of a small model, in two chunks."""
    plan, topology = _planned(_SMALL, Strategy(tensor=2, pipeline=2))
    chunk = _SMALL_CONTEXT // 4
    made = compile_prefill(plan, topology, 2 * chunk, chunk).schedule
    return SabotageCase(
        "small prompt", made.program, topology, plan.task.machine, made.plan
    )


def _workload() -> SabotageCase:
    """Return the case of a graph, with a program for less work than was asked."""
    scenario = Scenario(
        workload="mlp", chips=8, strategy="column=2,row=2,pipeline=2", batch=2
    )
    prepared = prepare_workload(scenario)
    half = prepare_workload(scenario.model_copy(update={"batch": 1}))
    return SabotageCase(
        "mlp",
        prepared.schedule.program,
        prepared.topology,
        prepared.machine,
        prepared.plan,
        {SMALLER: half.schedule.program},
    )


def _small_lstm() -> SabotageCase:
    """Return the case of a step of a small LSTM, which is executed with numbers."""
    scenario = Scenario(
        workload="lstm:48",
        chips=6,
        strategy="column=3,row=2",
        batch=2,
        settings={"clock.model": "ideal"},
    )
    prepared = prepare_workload(scenario)
    half = prepare_workload(scenario.model_copy(update={"batch": 1}))
    return SabotageCase(
        "small LSTM",
        prepared.schedule.program,
        prepared.topology,
        prepared.machine,
        prepared.plan,
        {SMALLER: half.schedule.program},
        first_iteration(prepared.plan),
    )


def collectives() -> Iterator[SabotageCase]:
    """Return collectives to sabotage, each by an algorithm with other messages."""
    node, rack = select_topology(8), select_topology(16, "dragonfly")
    yield _collective(node, Collective.ALL_REDUCE, "two-step", 5_000)
    # With fewer bytes sums are apart, whose additions take more operands than arrive.
    yield _collective(rack, Collective.ALL_REDUCE, "hierarchical", 30_000)
    yield _collective(node, Collective.REDUCE_SCATTER, "ring", 5_001)
    yield _collective(rack, Collective.ALL_GATHER, "hierarchical", 5_001)
    yield _collective(rack, Collective.ALL_TO_ALL, "hierarchical", 9_000)
    yield _collective(rack, Collective.BROADCAST, "one-shot", 9_000)


def _collective(
    topology: Topology, kind: Collective, algorithm: str, payload_bytes: int
) -> SabotageCase:
    """Return the case of a collective, which is executed with numbers."""
    machine = load_machine()
    made = compile_collective(
        topology,
        machine,
        kind,
        topology.active.astype(np.int64),
        payload_bytes=payload_bytes,
        algorithm=algorithm,
    )
    vector = machine.link.vector_bytes
    return SabotageCase(
        f"{kind} {algorithm}",
        made.program,
        topology,
        machine,
        made.plan,
        results=lambda program: largest_difference(
            replace(made, program=program), vector
        ),
    )
