from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.cost.link_timing import (
    LinkTiming,
    hop_cycles,
    link_timing,
    serialisation_cycles,
    vector_rate,
    vectors_of,
)
from specs.machine import load_machine
from topologies.selection import select_topology
from topologies.topology import Level

MACHINE = load_machine()
LPX = load_machine("lpx")


def test_a_cable_of_the_reference_length_has_the_latency_of_the_machine() -> None:
    node = select_topology(8)
    timing = link_timing(node, MACHINE, guard_cycles=30)
    assert isinstance(timing, LinkTiming)
    assert set(timing.latency_cycles.tolist()) == {MACHINE.reference_latency_cycles}
    assert (timing.guard_cycles, timing.send_cycles, timing.receive_cycles) == (
        30,
        MACHINE.chip.send_cycles,
        MACHINE.chip.receive_cycles,
    )


def test_a_longer_cable_adds_its_flight_rounded_up_to_cycles() -> None:
    machine = MACHINE.with_settings(
        {"link.flight_ps_per_m": 1_000, "link.reference_length_m": 1.0}
    )
    rack = select_topology(72)
    timing = link_timing(rack, machine, guard_cycles=0)
    length_m = rack.length_m[rack.level == Level.RACK]
    # A metre more is 1 ns, and a cycle at 900 MHz takes 1.11 ns.
    extra = np.ceil((length_m - 1) * 0.9).astype(np.int64)
    assert extra.min() > 0
    expected = machine.reference_latency_cycles + extra
    assert timing.latency_cycles[rack.level == Level.RACK].tolist() == expected.tolist()


def test_fec_is_part_of_the_latency_and_told_apart() -> None:
    node = select_topology(8)
    plain = link_timing(node, MACHINE.with_settings({"fec.code": "none"}), 0)
    coded = link_timing(node, MACHINE.with_settings({"fec.code": "rs544"}), 0)
    assert plain.fec_cycles == 0 < coded.fec_cycles
    added = coded.latency_cycles - plain.latency_cycles
    assert set(added.tolist()) == {coded.fec_cycles}


def test_a_relay_hop_is_a_mean_latency_and_the_pass_through_the_chip() -> None:
    timing = link_timing(select_topology(8), MACHINE, 0)
    link = MACHINE.link
    assert timing.pass_cycles + link.mean_latency_cycles == link.forward_cycles


@given(vectors=st.integers(0, 10_000))
def test_serialisation_takes_the_vector_rate_rounded_up(vectors: int) -> None:
    bits, per_cycle = vector_rate(MACHINE)
    assert serialisation_cycles(MACHINE, vectors) == -(-vectors * bits // per_cycle)


def test_the_vector_rate_is_wire_bits_at_the_clock_against_the_line_rate() -> None:
    # 328 bytes on the wire at 900 MHz; 100 Gbit/s.
    assert Fraction(*vector_rate(MACHINE)) == Fraction(328 * 8 * 9, 1000)


@pytest.mark.parametrize(("code", "longer"), [("rs528", 528), ("rs544", 544)])
def test_check_symbols_beyond_the_frame_cost_line_rate(code: str, longer: int) -> None:
    coded = MACHINE.with_settings({"fec.code": code})
    for name in ("none", "secded"):
        framed = MACHINE.with_settings({"fec.code": name})
        assert vector_rate(framed) == vector_rate(MACHINE)
        ratio = Fraction(*vector_rate(coded)) / Fraction(*vector_rate(framed))
        assert ratio == Fraction(longer, 514)
    # 2,570 vectors of 23.616 cycles are 514 x 5 x 23.616, in whole cycles.
    assert serialisation_cycles(coded, 2_570) == -(-5 * 23_616 * longer // 1_000)


@given(payload=st.integers(1, 10**6))
def test_vectors_hold_the_payload_and_one_less_does_not(payload: int) -> None:
    size = MACHINE.link.vector_bytes
    count = vectors_of(MACHINE, payload)
    assert (count - 1) * size < payload <= count * size


@pytest.mark.parametrize(("payload", "vectors"), [(0, 1), (1, 1), (320, 1), (321, 2)])
def test_a_message_is_at_least_one_vector(payload: int, vectors: int) -> None:
    assert vectors_of(MACHINE, payload) == vectors


def test_a_striped_message_takes_the_time_of_one_cable_s_share() -> None:
    cables = LPX.link.stripe_cables
    assert cables > 1
    assert hop_cycles(LPX, cables) == hop_cycles(LPX, 1)
    assert hop_cycles(LPX, 8 * cables) == hop_cycles(LPX, 1) + serialisation_cycles(
        LPX, 7
    )
