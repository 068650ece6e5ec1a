from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.fec import fec_codes
from specs.line_rate import LineRate, line_rate
from specs.machine import load_machine

MACHINE = load_machine()
CODES = {
    name: MACHINE.with_settings({"fec.code": name}).line for name in sorted(fec_codes())
}


def round_line(clock_hz: int = 10**9) -> LineRate:
    """Return 100 of 125 bytes at 10 Gb/s: 100 ns a vector."""
    return line_rate(vector_bytes=100, wire_bytes=125, rate_gbps=10, clock_hz=clock_hz)


@given(index=st.integers(0, 10**6))
def test_a_vector_follows_when_the_ones_before_it_have_left(index: int) -> None:
    # 328 B at 100 Gb/s take 26.24 ns, which is 23.616 cycles at 900 MHz.
    assert 0 <= 1000 * MACHINE.line.offset_cycles(index) - 23_616 * index < 1000


@given(
    indices=st.lists(st.integers(0, 10**7), min_size=1, max_size=9),
    code=st.sampled_from(sorted(CODES)),
)
def test_offsets_of_many_vectors_are_those_of_each(
    indices: list[int], code: str
) -> None:
    line = CODES[code]
    offsets = line.offsets_cycles(np.array(indices))
    assert offsets.tolist() == [line.offset_cycles(index) for index in indices]


def test_the_payload_rate_leaves_out_the_frame() -> None:
    assert round_line().payload_gb_per_s == 10 * 100 / 125 / 8


@given(index=st.integers(0, 10**6), clock_hz=st.integers(10**6, 3 * 10**9))
def test_a_vector_has_left_in_the_cycle_of_its_offset(
    index: int, clock_hz: int
) -> None:
    exact = Fraction(index * 100 * clock_hz, 10**9)
    assert 0 <= round_line(clock_hz).offset_cycles(index) - exact < 1


@pytest.mark.parametrize(
    ("code", "more_percent"),
    [("none", 0), ("secded", 0), ("rs528", 2.7), ("rs544", 5.8)],
)
def test_a_code_costs_the_line_rate_of_its_check_symbols(
    code: str, more_percent: float
) -> None:
    plain, coded = CODES["none"], CODES[code]
    more = coded.vector_ps / plain.vector_ps - 1
    assert float(more) * 100 == pytest.approx(more_percent, abs=0.05)
    assert coded.payload_gb_per_s == pytest.approx(
        plain.payload_gb_per_s / (1 + float(more))
    )
