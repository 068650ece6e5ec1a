import numpy as np
from hypothesis import given, settings

from compiler.bounds.congestion_bound import congestion_bound, least_link_timing
from compiler.bounds.hop_count_bound import (
    HopCountBound,
    hop_count_bound,
    least_replica_cycles,
)
from compiler.compile_decode import compile_token
from compiler.ir.messages import MessageTable
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import ShardingPlan, plan_sharding
from specs.machine import load_machine
from topologies.selection import select_topology


@settings(max_examples=20)
@given(plan=...)
def test_no_replica_beats_its_bound_whichever_paths_its_vectors_take(
    plan: ShardingPlan,
) -> None:
    strategy = plan.strategy
    topology = select_topology(strategy.chips)
    placed = plan_sharding(
        plan.task,
        strategy,
        placed_chips(topology, strategy),
        sequences=plan.sequences,
    )
    leader = int(placed.stages[0].chips[0])
    bound = hop_count_bound(plan.task.machine, topology, leader)
    least = least_replica_cycles(placed.replicas[0], bound)
    assert least <= compile_token(placed, topology).latency_cycles


def test_a_hop_more_takes_a_cable_and_a_chip_more() -> None:
    machine = load_machine().with_settings({"clock.drift_ppm": 0})
    topology = select_topology(72)
    bound = hop_count_bound(machine, topology, 0)
    hops = [
        bound.cycles(MessageTable.of([(0, chip, 320)])) for chip in topology.active
    ][1:]
    near, far = min(hops), max(hops)
    once = machine.link.latency_cycles + machine.fec.parameters.decode_cycles
    passed = machine.link.forward_cycles - machine.link.mean_latency_cycles
    # Two chips of nodes that are joined elsewhere are three hops apart.
    least = once + passed
    assert near < far
    assert (far - near) // least == 2
    assert bound.cycles(MessageTable.of([])) == 0
    assert np.array_equal(hops[:7], [near] * 7)


def test_messages_that_share_a_link_do_not_raise_the_hop_count_bound() -> None:
    machine = load_machine()
    topology = select_topology(8)
    bound = HopCountBound(topology, machine, least_link_timing(machine, topology, 0))
    one, two = (MessageTable.of([(0, 1, 32_000)] * count) for count in (1, 2))
    assert bound.cycles(one) == bound.cycles(two)
    assert bound.transport(one).duration_cycles == bound.cycles(one)
    links = congestion_bound(machine, topology, 0)
    assert bound.cycles(one) == links.cycles(one) < links.cycles(two)
