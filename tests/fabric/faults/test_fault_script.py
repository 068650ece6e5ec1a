import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.clock import Clock
from fabric.faults.fault_script import NEVER, Outages, RateChange, check_faults, outages
from specs.errors import SpecError
from specs.faults import ChipStops, Fault, LinkDies, LinkErrorRate
from topologies.builders.node import node_topology

NODE = node_topology()
TIMES = st.floats(0, 1e9, allow_subnormal=False)


def of(*faults: Fault, root: Clock | None = None, start_cycle: int = 0) -> Outages:
    root = root or Clock(frequency_hz=900_000_000)
    zero_ps = root.edge_ps(1_000)
    return outages(faults, NODE, root=root, start_cycle=start_cycle, zero_ps=zero_ps)


@given(TIMES, st.integers(899_000_000, 901_000_000), st.integers(0, 10**9))
def test_a_fault_takes_effect_with_the_first_cycle_at_its_time_or_later(
    at_us: float, hz: int, start: int
) -> None:
    root = Clock(frequency_hz=hz, phase_ps=317)
    out = of(ChipStops(at_us=at_us, chip=3), root=root, start_cycle=start)
    cycle = start + int(out.stop_cycle[3])
    at_ps = root.edge_ps(1_000) + round(at_us * 1e6)
    assert root.edge_ps(cycle - 1) < at_ps <= root.edge_ps(cycle)


def test_a_fault_at_time_0_takes_effect_with_program_cycle_0() -> None:
    assert of(ChipStops(at_us=0, chip=3), start_cycle=1_000).stop_cycle[3] == 0


@given(st.integers(0, len(NODE.source) - 1), TIMES)
def test_both_directions_of_a_cable_die_and_nothing_else(
    link: int, at_us: float
) -> None:
    out = of(LinkDies(at_us=at_us, link=link))
    cycle = int(out.dead_cycle[link])
    assert out.dead_at(cycle) == {link, link ^ 1}
    assert NODE.source[link] == NODE.target[link ^ 1]
    assert out.dead_at(cycle - 1) == frozenset()
    assert out.stopped_at(NEVER - 1) == frozenset()
    assert out.first_loss_cycle == cycle


def test_of_two_times_the_first_counts() -> None:
    out = of(
        *(ChipStops(at_us=at_us, chip=2) for at_us in (30, 10, 20)),
        LinkDies(at_us=9, link=5),
        LinkDies(at_us=7, link=4),
    )
    assert out.stop_cycle[2] == 1_000 + 9_000
    assert out.dead_cycle[[4, 5]].tolist() == [1_000 + 6_300] * 2


def test_a_bit_error_rate_holds_from_one_cycle_to_before_another() -> None:
    out = of(LinkErrorRate(at_us=1, until_us=3, link=6, ber=0.01))
    assert out.rates == (RateChange(6, 1_900, 3_700, 0.01),)
    assert out.first_loss_cycle == NEVER


@pytest.mark.parametrize("at_us", [1e15, 1e300])
def test_what_is_beyond_all_crystals_never_happens(at_us: float) -> None:
    rate = LinkErrorRate(at_us=0, until_us=at_us, link=6, ber=0.01)
    out = of(ChipStops(at_us=at_us, chip=0), LinkDies(at_us=at_us, link=0), rate)
    assert out.first_loss_cycle == NEVER
    assert out.rates[0].end_cycle == NEVER


def test_links_and_chips_that_do_not_exist_are_refused_by_number() -> None:
    good = ChipStops(at_us=0, chip=7)
    with pytest.raises(SpecError) as no_chip:
        check_faults([good, ChipStops(at_us=0, chip=8)], NODE, "my.toml")
    assert str(no_chip.value) == (
        "my.toml: fault 2: there is no chip 8: the chips of this node are numbered 0 "
        "to 7"
    )
    rate = LinkErrorRate(at_us=0, until_us=1, link=56, ber=0)
    for fault in (LinkDies(at_us=0, link=56), rate):
        with pytest.raises(SpecError) as no_link:
            check_faults([fault], NODE, "my.toml")
        assert str(no_link.value) == (
            "my.toml: fault 1: there is no link 56: the links of this node are "
            "numbered 0 to 55, as links.csv lists them"
        )


def test_all_links_and_chips_that_exist_may_fail() -> None:
    links = [LinkDies(at_us=0, link=link) for link in range(56)]
    check_faults([*links, *(ChipStops(at_us=0, chip=c) for c in range(8))], NODE, "")
