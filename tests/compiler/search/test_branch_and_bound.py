from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chip.program import Program
from compiler.compile_decode import compile_token, time_token
from compiler.energy.token_energy import TokenEnergy
from compiler.search.branch_and_bound import best_strategy
from compiler.search.objective import Objective
from sharding.parallelism.feasibility import check_model
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import fitting_plan
from sharding.weights.task import Task
from specs.errors import PlanError, RackError
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology


class Instance(NamedTuple):
    """A small model on a few chips of little memory, so that not all splits fit."""

    task: Task
    chips: int


@st.composite
def instances(draw: st.DrawFn, most_chips: int, most_layers: int) -> Instance:
    # Strategies grow faster than chips, and so does the time to compile them all.
    kv_heads = draw(st.integers(1, 3))
    experts = draw(st.sampled_from([1, 1, 1, 2, 4]))
    model = ModelSpec(
        name="small",
        family="llama" if experts == 1 else "mixtral",
        hidden_size=draw(st.integers(24, 64)),
        intermediate_size=draw(st.integers(16, 96)),
        layers=draw(st.integers(1, most_layers)),
        attention_heads=kv_heads * draw(st.integers(1, 2)),
        kv_heads=kv_heads,
        head_dim=draw(st.integers(2, 8)),
        vocabulary_size=draw(st.integers(8, 90)),
        tied_embeddings=False,
        experts=experts,
        experts_per_token=min(2, experts),
        max_context_tokens=128,
    )
    machine = load_machine().with_settings(
        {
            "chip.program_reserve_bytes": 0,
            "chip.sram_bytes": draw(st.sampled_from([9_000, 20_000, 10**6])),
            "clock.drift_ppm": draw(st.sampled_from([0, 50])),
        }
    )
    return Instance(
        Task(model, machine, 1, draw(st.integers(1, 64)), 1),
        draw(st.integers(1, most_chips)),
    )


def _every_strategy(made: Instance) -> list[Strategy]:
    """Return every strategy of one replica that the model can take, word by word."""
    found = []
    for tensor in range(1, made.chips + 1):
        parts = [part for part in range(1, tensor + 1) if tensor % part == 0]
        for pipeline, expert, attention, layout in product(
            range(1, made.chips // tensor + 1),
            parts,
            [0, *parts[:-1]],
            FeedForwardLayout,
        ):
            try:
                strategy = Strategy(
                    tensor=tensor,
                    pipeline=pipeline,
                    expert=expert,
                    attention=attention,
                    layout=layout,
                )
                check_model(strategy, made.task.model)
            except PlanError:
                continue
            found.append(strategy)
    return found


def _all_latencies(made: Instance) -> dict[Strategy, int]:
    """Return the compiled latency of every strategy that fits, one by one."""
    topology = select_topology(made.chips)
    chips = topology.active.astype(np.int64)
    latencies = {}
    for strategy in _every_strategy(made):
        task = made.task.split_as(strategy)
        try:
            plan = fitting_plan(task, strategy, chips, sequences=1)
            if plan is not None:
                latencies[strategy] = time_token(plan, topology).timeline.token_cycles
        except RackError:
            continue
    return latencies


# Ten chips are more than a node.
@settings(max_examples=8)
@given(made=instances(10, 6))
def test_the_search_equals_trying_every_strategy(made: Instance) -> None:
    latencies = _all_latencies(made)
    topology = select_topology(made.chips)
    if not latencies:
        with pytest.raises(RackError):
            best_strategy(made.task, topology, objective=Objective.LATENCY, sequences=1)
        return
    fastest = best_strategy(
        made.task,
        topology,
        objective=Objective.LATENCY,
        sequences=1,
        most_compiled=10**6,
    )
    assert fastest.schedule.latency_cycles == min(latencies.values())
    assert fastest.gap == 0
    smallest = best_strategy(
        made.task, topology, objective=Objective.CHIPS, sequences=1
    )
    fewest = min(strategy.chips for strategy in latencies)
    assert smallest.schedule.plan.strategy.chips == fewest
    assert smallest.schedule.latency_cycles == min(
        cycles for strategy, cycles in latencies.items() if strategy.chips == fewest
    )


class _Tried(NamedTuple):
    """A strategy with its sequences, and its program once compiled."""

    strategy: Strategy
    sequences: int
    program: Program

    def cost(self, objective: Objective, energy: TokenEnergy) -> float:
        share = self.program.period_cycles / (self.sequences * self.strategy.data)
        if objective is Objective.ENERGY:
            return energy.of_program(self.program, share, self.strategy.data)
        return share


def _all_periods(made: Instance) -> list[_Tried]:
    """Return all strategies with all numbers of replicas and sequences, compiled."""
    topology = select_topology(made.chips)
    replicated = [
        replace(strategy, data=count)
        for strategy in _every_strategy(made)
        for count in range(1, made.chips // strategy.chips + 1)
    ]
    tried = []
    for strategy in replicated:
        task = made.task.split_as(strategy)
        chips = placed_chips(topology, strategy)
        for sequences in range(1, strategy.pipeline + 2):
            try:
                plan = fitting_plan(task, strategy, chips, sequences=sequences)
                if plan is not None:
                    program = compile_token(plan, topology).program
                    tried.append(_Tried(strategy, sequences, program))
            except RackError:
                continue
    return tried


@settings(max_examples=3)
@given(made=instances(6, 4))
def test_so_it_does_where_sequences_and_replicas_fill_the_machine(
    made: Instance,
) -> None:
    tried = _all_periods(made)
    assume(tried)
    topology = select_topology(made.chips)
    energy = TokenEnergy(made.task, topology)
    for objective in (Objective.THROUGHPUT, Objective.ENERGY):
        found = best_strategy(
            made.task,
            topology,
            objective=objective,
            sequences=1,
            most_compiled=10**6,
        )
        # Replicas take the energy of one.
        of_all = objective is Objective.THROUGHPUT
        least = min(
            each.cost(objective, energy)
            for each in tried
            if of_all or each.strategy.data == 1
        )
        assert found.compiled[0].cost.first == pytest.approx(least, rel=1e-12)
        assert found.gap == 0


def _task(layers: int = 4) -> Task:
    model = ModelSpec(
        name="small",
        family="llama",
        hidden_size=256,
        intermediate_size=512,
        layers=layers,
        attention_heads=4,
        kv_heads=2,
        head_dim=64,
        vocabulary_size=512,
        tied_embeddings=False,
        experts=1,
        experts_per_token=1,
        max_context_tokens=128,
    )
    return Task(model, load_machine(), 1, 64, 1)


def test_a_search_that_is_cut_short_says_how_far_off_it_may_be() -> None:
    found = best_strategy(
        _task(),
        select_topology(16),
        objective=Objective.THROUGHPUT,
        sequences=1,
        most_compiled=1,
    )
    assert len(found.compiled) == 1
    whole = best_strategy(
        _task(), select_topology(16), objective=Objective.THROUGHPUT, sequences=1
    )
    assert whole.gap == 0
    least, best = found.bound, whole.compiled[0].cost.first
    assert least <= best <= found.compiled[0].cost.first
    assert found.gap == pytest.approx(1 - least / found.compiled[0].cost.first)


def test_throughput_fills_the_pipeline_that_latency_would_not_have() -> None:
    topology = select_topology(8)
    # A chip holds a third of the model.
    machine = load_machine().with_settings(
        {"chip.sram_bytes": 3_000_000, "chip.program_reserve_bytes": 2_000_000}
    )
    task = _task()._replace(machine=machine)
    busiest = best_strategy(
        task, topology, objective=Objective.THROUGHPUT, sequences=1
    ).schedule
    fastest = best_strategy(
        task, topology, objective=Objective.LATENCY, sequences=1
    ).schedule
    assert busiest.plan.sequences > 1
    assert fastest.plan.sequences == 1
    assert busiest.latency_cycles > fastest.latency_cycles
    tokens = busiest.plan.sequences * busiest.plan.strategy.data
    assert busiest.latency_cycles / tokens < fastest.latency_cycles


def test_a_model_that_a_chip_holds_is_on_each_of_them() -> None:
    found = best_strategy(
        _task(), select_topology(8), objective=Objective.THROUGHPUT, sequences=1
    )
    assert str(found.schedule.plan.strategy) == "tensor=1,pipeline=1,data=8"
    # A token of each in the cycles of one.
    assert found.compiled[0].cost.first == found.schedule.latency_cycles / 8


def test_replicas_do_nothing_for_the_energy_of_a_token() -> None:
    found = best_strategy(
        _task(), select_topology(8), objective=Objective.ENERGY, sequences=1
    )
    assert found.schedule.plan.strategy.data == 1


def test_a_model_that_no_strategy_holds_is_refused_with_the_chips_it_needs() -> None:
    machine = load_machine().with_settings(
        {"chip.sram_bytes": 60_000, "chip.program_reserve_bytes": 0}
    )
    with pytest.raises(PlanError, match=r"no strategy holds small on 4 chips.*--chips"):
        best_strategy(
            _task()._replace(machine=machine),
            select_topology(4),
            objective=Objective.LATENCY,
            sequences=1,
        )
