import pytest

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
    jitter_end_fraction=1.0,
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
    even = groqrack.with_settings(
        {"link.jitter_mean_fraction": 0.5, "link.jitter_end_fraction": 1}
    )
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


@pytest.mark.parametrize(
    ("mean", "deviation", "holds"),
    [(0.4, 0.19, True), (0.4, 0.21, False), (0.51, 0, False), (0.5, 0, True)],
)
def test_a_law_within_bounds_has_a_mean_and_a_deviation_within_them(
    mean: float, deviation: float, holds: bool
) -> None:
    # Two values, 0 and 0.5, with a mean of 0.4 deviate by 0.2.
    stated = {
        "jitter": "beta",
        "jitter_mean_fraction": mean,
        "jitter_std_fraction": deviation,
        "jitter_end_fraction": 0.5,
        "forward_cycles": 300,
    }
    if holds:
        build(LinkSpec, {**ROUND.model_dump(), **stated}, "mine")
        return
    with pytest.raises(SpecError, match=r"from 0 to jitter_end_fraction 0\.5 with"):
        build(LinkSpec, {**ROUND.model_dump(), **stated}, "mine")
    # A law that is clipped may have any.
    build(LinkSpec, {**ROUND.model_dump(), **stated, "jitter": "clipped"}, "mine")
