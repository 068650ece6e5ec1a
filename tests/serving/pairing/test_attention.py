from functools import cache

import numpy as np
import pytest

from serving.cycle_time import CycleTime
from serving.pairing.attention import attention_legs, held_by_devices
from serving.pairing.feed_forward import FeedForward, compile_feed_forwards
from serving.pairing.lanes import LINKS, LaneRun, Side, run_lanes
from sharding.parallelism.strategy import Strategy
from sharding.weights.task import Task
from specs.decode_work import decode_work
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import load_model
from specs.pairing import PairingSpec, load_pairing
from topologies.selection import select_topology

MODEL, LPX = load_model("gpt2"), load_machine("lpx")
STRATEGY = Strategy(tensor=4, pipeline=1)
TOPOLOGY = select_topology(16, "lpx", ports_per_chip=96)
CHIPS = TOPOLOGY.active.astype(np.int64)
CLOCK = CycleTime.of(LPX.chip.clock_hz)


def task(batch: int = 2) -> Task:
    return Task(MODEL, LPX, 4, 64, batch).split_as(STRATEGY)


@cache
def compiled(batch: int = 2) -> tuple[FeedForward, ...]:
    return tuple(compile_feed_forwards(task(batch), STRATEGY, TOPOLOGY, CHIPS))


def tokens(pairing: PairingSpec, count: int = 1, lanes: int = 1) -> LaneRun:
    legs = attention_legs(task(), compiled(), pairing) * count
    return run_lanes(legs, pairing, CLOCK, lanes=lanes)


def instant() -> PairingSpec:
    given = load_pairing("lpx-rubin").model_dump()
    link = {"ports": 1, "port_gbps": None, "latency_ns": 0}
    return PairingSpec.model_validate({**given, "link": link})


def test_layers_of_a_kind_are_one_program_on_all_groups() -> None:
    found = compiled()
    assert [each.layer for each in found] == list(range(12))
    # Four groups of four chips have three layers each.
    assert [each.unit for each in found] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len({(each.cycles, each.certificate) for each in found}) == 1


def test_more_sequences_take_longer_and_too_many_layers_are_refused() -> None:
    assert compiled(32)[0].cycles > compiled(2)[0].cycles
    large = Task(load_model("llama-3-70b"), LPX, 4, 64, 1).split_as(STRATEGY)
    with pytest.raises(PlanError, match=r"20 feed-forwards of llama-3-70b .* lack"):
        compile_feed_forwards(large, STRATEGY, TOPOLOGY, CHIPS)
    with pytest.raises(PlanError, match="takes 4 chips but 3 are there"):
        compile_feed_forwards(task(), STRATEGY, TOPOLOGY, CHIPS[:3])


def test_activations_cross_twice_for_each_layer_and_token() -> None:
    run = tokens(load_pairing("lpx-rubin"), count=3, lanes=2)
    # Two sequences a lane, two lanes, three tokens, 768 columns of FP16, 12 layers.
    each_way = 2 * 2 * 3 * 768 * 2 * 12
    assert run.sent_bytes == run.received_bytes == dict.fromkeys(LINKS, each_way)


def test_with_instant_devices_and_link_only_feed_forwards_are_left() -> None:
    pairing = instant()
    legs = [
        leg._replace(amount=0) if leg.side is Side.DEVICES else leg
        for leg in attention_legs(task(), compiled(), pairing)
    ]
    run = run_lanes(legs, pairing, CLOCK, lanes=1)
    assert run.end_ps[0, -1] == CLOCK.ps(sum(each.cycles for each in compiled()))


def test_devices_take_the_time_of_attention_and_head() -> None:
    pairing = load_pairing("lpx-rubin").model_copy(
        update={"layer_us": 0.0, "attained_memory": 1.0}
    )
    legs = attention_legs(task(), compiled(), pairing)
    ours_ps = sum(leg.amount for leg in legs if leg.side is Side.DEVICES)
    step = decode_work(MODEL, context=64, batch=2, weights=task().formats)
    inner = 12 * MODEL.used_feed_forward_parameters_in(0, 1)
    read_bytes = step.read_bytes - inner
    assert ours_ps == pytest.approx(read_bytes / 22e12 / 72 * 1e12, rel=1e-3)
    table = MODEL.vocabulary_size * MODEL.hidden_size
    assert held_by_devices(task(), 2) == pytest.approx(read_bytes + table)


def test_jitter_of_devices_moves_tokens_but_not_programs() -> None:
    pairing = load_pairing("lpx-rubin").model_copy(update={"jitter": 0.2})
    legs = attention_legs(task(), compiled(), pairing)
    one, other = (
        run_lanes(legs, pairing, CLOCK, lanes=2, seed=seed) for seed in (1, 2)
    )
    assert one.end_ps[0, -1] != other.end_ps[0, -1]
    on_chips = [n for n, leg in enumerate(legs) if leg.side is Side.MACHINE]
    lasted = [(run.end_ps - run.start_ps)[:, on_chips] for run in (one, other)]
    # A cycle of 1.5 GHz is 666 or 667 ps.
    assert np.abs(lasted[0] - lasted[1]).max() <= 1
