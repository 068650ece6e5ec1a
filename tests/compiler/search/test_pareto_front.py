import numpy as np

from compiler.compile_decode import compile_token
from compiler.search.branch_and_bound import best_strategy
from compiler.search.dominance import Merits, ParetoPoint
from compiler.search.objective import Objective
from compiler.search.pareto_front import ParetoFront, pareto_front
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import fitting_plan
from sharding.weights.task import Task
from specs.errors import RackError
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology
from topologies.topology import Topology


def _task() -> Task:
    model = ModelSpec(
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
    machine = load_machine().with_settings(
        {"chip.program_reserve_bytes": 0, "chip.sram_bytes": 100_000}
    )
    return Task(model, machine, 1, 32, 1)


def _every_point(task: Task, topology: Topology) -> list[Merits]:
    """Return the merits of all strategies with one sequence up to one a stage."""
    chips = topology.active.astype(np.int64)
    found = []
    for tensor in range(1, len(chips) + 1):
        for pipeline in range(1, len(chips) // tensor + 1):
            strategy = Strategy(tensor=tensor, pipeline=pipeline)
            for sequences in range(1, pipeline + 1):
                try:
                    plan = fitting_plan(
                        task._replace(tensor=tensor),
                        strategy,
                        chips,
                        sequences=sequences,
                    )
                    if plan is None:
                        continue
                    latency = compile_token(plan, topology).latency_cycles
                except RackError:
                    continue
                found.append(Merits(latency, latency / sequences, strategy.chips))
    return found


def test_the_front_within_a_node_equals_that_of_trying_everything() -> None:
    task, topology = _task(), select_topology(8)
    front = pareto_front(task, topology)
    assert (front.open, front.gap) == ((), 0)
    every = _every_point(task, topology)
    for merits in every:
        assert any(point.merits.dominates(merits) for point in front.points)
    assert {point.merits for point in front.points} <= set(every)


def test_a_front_that_is_cut_short_says_how_far_it_may_move() -> None:
    task, topology = _task(), select_topology(8)
    short = pareto_front(task, topology, most_compiled=3)
    assert len(short.known) == 3
    assert short.open
    for merits in _every_point(task, topology):
        assert all(a >= b for a, b in zip(merits, short.reach, strict=True))
        slack = 1 + short.gap + 1e-9
        worse = Merits(merits[0] * slack, merits[1] * slack, int(merits[2] * slack))
        assert any(point.merits.dominates(worse) for point in short.points)


def test_the_gap_of_a_front_is_what_its_points_lack_of_a_bound() -> None:
    one = Strategy(tensor=1, pipeline=1)
    fast = ParetoPoint(Merits(100, 100, 8), one, 1)
    small = ParetoPoint(Merits(200, 200, 2), one, 1)
    # It may be a quarter faster than the fast one, on half of its chips; or twice as
    # fast as the small one, on twice as many.
    left = ParetoPoint(Merits(80, 80, 4), one, 1)
    front = ParetoFront(points=(fast, small), known=(fast, small), open=(left,))
    assert front.gap == 8 / 4 - 1
    assert front.reach == Merits(80, 80, 2)


def test_beyond_two_nodes_the_ends_of_a_front_are_what_searches_find() -> None:
    task, topology = _task(), select_topology(24)
    front = pareto_front(task, topology, most_compiled=1)
    for objective in (Objective.LATENCY, Objective.THROUGHPUT):
        found = best_strategy(task, topology, objective=objective, sequences=1)
        assert found.gap == 0
        best = found.compiled[0]
        merits = [point.merits for point in front.points]
        ends = {
            Objective.LATENCY: min(each.latency_cycles for each in merits),
            Objective.THROUGHPUT: min(each.share_cycles for each in merits),
        }
        assert ends[objective] == best.cost.first
