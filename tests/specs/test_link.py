from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import SpecError
from specs.link import LinkSpec
from specs.machine import MachineSpec, load_machine
from specs.validation import build

NOMINAL_HZ = 900_000_000
# 10 Gb/s of 100-byte vectors in 125-byte frames; a vector takes 100 ns on the wire.
ROUND = LinkSpec(
    ber=0,
    errors="independent",
    burst_bits=1,
    burst_ber=1,
    burst_share=0,
    vector_bytes=100,
    wire_bytes=125,
    rate_gbps=10,
    latency_cycles=200,
    jitter="clipped",
    jitter_cycles=10,
    jitter_mean_fraction=(0.5,),
    jitter_std_fraction=(0.1, 0.2),
    flight_ps_per_m=5_000,
    reference_length_m=1.0,
    forward_cycles=205,
    fifo_vectors=8,
    stripe_cables=1,
)


@pytest.fixture
def groqrack() -> MachineSpec:
    return load_machine("groqrack")


def test_a_single_number_is_the_jitter_of_every_link(groqrack: MachineSpec) -> None:
    even = groqrack.with_settings({"link.jitter_mean_fraction": 0.5})
    assert even.link.jitter_mean_fraction == (0.5,)
    assert even.link.mean_latency_cycles == 209 + round(0.5 * 33)
    rows = even.link.jitter_rows
    assert [mean for mean, _ in rows] == [0.5] * 7
    assert [std for _, std in rows] == list(groqrack.link.jitter_std_fraction)


def test_the_mean_latency_is_that_of_the_measured_links(groqrack: MachineSpec) -> None:
    assert groqrack.link.mean_latency_cycles == 217


def test_a_payload_fills_whole_vectors(groqrack: MachineSpec) -> None:
    sizes = [0, 1, 320, 321, 8192]
    assert [groqrack.link.vectors(size) for size in sizes] == [0, 1, 1, 2, 26]


@given(index=st.integers(0, 10**6))
def test_a_vector_follows_when_the_ones_before_it_have_left(index: int) -> None:
    # 328 B at 100 Gb/s take 26.24 ns, which is 23.616 cycles at 900 MHz.
    offset = load_machine().link.vector_offset_cycles(index, NOMINAL_HZ)
    assert 0 <= 1000 * offset - 23_616 * index < 1000


@given(indices=st.lists(st.integers(0, 10**7), min_size=1, max_size=9))
def test_offsets_of_many_vectors_are_those_of_each(indices: list[int]) -> None:
    link = load_machine().link
    offsets = link.vector_offsets_cycles(np.array(indices), NOMINAL_HZ)
    each = [link.vector_offset_cycles(index, NOMINAL_HZ) for index in indices]
    assert offsets.tolist() == each


def test_the_payload_rate_leaves_out_the_frame() -> None:
    assert ROUND.payload_gb_per_s == 10 * 100 / 125 / 8


@given(index=st.integers(0, 10**6), clock_hz=st.integers(10**6, 3 * 10**9))
def test_a_vector_has_left_in_the_cycle_of_its_offset(
    index: int, clock_hz: int
) -> None:
    exact = Fraction(index * 100 * clock_hz, 10**9)
    assert 0 <= ROUND.vector_offset_cycles(index, clock_hz) - exact < 1


def test_the_mean_latency_includes_the_mean_jitter() -> None:
    assert ROUND.mean_latency_cycles == 205
    assert ROUND.jitter_rows == ((0.5, 0.1), (0.5, 0.2))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("wire_bytes", 99, "wire_bytes 99 is below vector_bytes 100"),
        ("forward_cycles", 204, "forward_cycles 204 is below .*, 205 cycles"),
        ("jitter_mean_fraction", (0.5,) * 3, "has 3 numbers, jitter_std_fraction 2"),
        ("jitter_mean_fraction", "half", "jitter_mean_fraction = 'half'"),
        ("rate_gbps", True, "rate_gbps = True: must be a number"),
    ],
)
def test_numbers_that_contradict_each_other_are_refused(
    key: str, value: object, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        build(LinkSpec, {**ROUND.model_dump(), key: value}, "mine")
