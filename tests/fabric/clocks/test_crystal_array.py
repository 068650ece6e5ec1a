import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.clock import Clock
from fabric.clocks.crystal_array import CrystalArray

clocks = st.builds(
    Clock,
    frequency_hz=st.integers(10**6, 3 * 10**9),
    phase_ps=st.integers(0, 10**6),
)


@given(
    several=st.lists(clocks, min_size=1, max_size=4),
    times_us=st.lists(st.integers(1, 999_000), min_size=1, max_size=5),
    ps=st.integers(0, 10**6),
)
def test_cycles_and_edges_are_those_of_each_clock(
    several: list[Clock], times_us: list[int], ps: int
) -> None:
    array = CrystalArray(several, np.arange(len(several)))
    times_ps = np.array(times_us)[:, np.newaxis] * 10**6 + ps
    together = np.broadcast_to(times_ps, (len(times_us), len(several)))
    cycles = array.cycles_at(together)
    edges_ps = array.edges_ps(cycles)
    following = array.cycles_from(together)
    for row, time_ps in enumerate(times_ps[:, 0].tolist()):
        for column, clock in enumerate(several):
            cycle = int(cycles[row, column])
            assert cycle == clock.cycle_at(time_ps)
            assert edges_ps[row, column] == clock.edge_ps(cycle)
            first = int(following[row, column])
            assert clock.edge_ps(first - 1) < time_ps <= clock.edge_ps(first)


def test_a_chip_may_have_several_columns() -> None:
    both = [Clock(frequency_hz=10**9), Clock(frequency_hz=2 * 10**9)]
    array = CrystalArray(both, np.array([1, 0, 1]))
    assert array.edges_ps(np.array([4, 4, 8])).tolist() == [2_000, 4_000, 4_000]
