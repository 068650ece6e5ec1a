from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.ir.schedule import Schedule
from fabric.faults.fault_script import NEVER, Outages, RateChange
from fabric.faults.link_errors import Corrected, LinkErrors
from fabric.links.fec import codeword_odds, codewords
from fabric.random_streams import Draws

Compile = Callable[..., Schedule]


def errors_of(schedule: Schedule, *rates: RateChange, seed: int = 1) -> LinkErrors:
    topology = schedule.topology
    out = Outages(
        stop_cycle=np.full(topology.chips, NEVER),
        dead_cycle=np.full(len(topology.source), NEVER),
        rates=rates,
    )
    machine = schedule.plan.task.machine
    return LinkErrors(machine, schedule.program, Draws(seed), out)


@given(
    train=st.integers(0, 5),
    before=st.integers(0, 20_000),
    length=st.integers(1, 40_000),
    base=st.integers(0, 60_000),
    seed=st.integers(0, 2**32),
)
def test_a_rate_damages_only_trains_of_its_link_and_time(
    compiled: Compile, *, train: int, before: int, length: int, base: int, seed: int
) -> None:
    schedule = compiled(2, 4, link__ber=0)
    trains = schedule.program.trains
    link = int(trains.link[train])
    begin = base + int(trains.wire_cycle[train]) - before
    # So many errors that no train comes through.
    rate = RateChange(link, begin, begin + length, 0.4)
    errors = errors_of(schedule, rate, seed=seed)
    at = base + trains.wire_cycle
    within = (trains.link == link) & (at >= begin) & (at < begin + length)
    damaged = errors.damaged(3, base)
    assert damaged.tolist() == np.flatnonzero(within).tolist()
    assert set(errors.corrected(3, base).trains.tolist()) <= set(damaged.tolist())


def test_the_later_of_two_rates_holds_where_both_do(compiled: Compile) -> None:
    schedule = compiled(2, 4, link__ber=0.4)
    trains = schedule.program.trains
    link = int(trains.link[0])
    end = schedule.program.token_cycles
    bad, good = RateChange(link, 0, end, 0.3), RateChange(link, 0, end, 0.0)
    healed = errors_of(schedule, bad, good)
    assert healed.damaged(0, 0).tolist() == np.flatnonzero(trains.link != link).tolist()
    # Afterwards the link is as it was before.
    assert len(healed.damaged(0, end)) == len(trains)


def test_a_rate_that_is_usual_changes_nothing(compiled: Compile) -> None:
    schedule = compiled(2, 4, link__ber=3e-5)
    link = int(schedule.program.trains.link[0])
    usual = errors_of(schedule)
    same = errors_of(schedule, RateChange(link, 0, 10**6, 3e-5))
    for event in range(50):
        assert same.damaged(event, 0).tolist() == usual.damaged(event, 0).tolist()
        for one, other in zip(
            same.corrected(event, 0), usual.corrected(event, 0), strict=True
        ):
            assert one.tolist() == other.tolist()


@pytest.mark.parametrize("ber", [1e-5, 1e-4])
def test_repairs_come_as_often_as_errors_do(compiled: Compile, ber: float) -> None:
    schedule = compiled(2, 4, link__ber=0)
    trains, machine = schedule.program.trains, schedule.plan.task.machine
    link = int(trains.link[0])
    errors = errors_of(schedule, RateChange(link, 0, 10**6, ber))
    code, rounds = machine.fec.parameters, 2_000
    repaired = sum(int(errors.corrected(k, 0).codewords.sum()) for k in range(rounds))
    vectors = trains.vectors[trains.link == link]
    count = int(codewords(code, vectors, machine.protected_bytes).sum())
    expected = rounds * count * codeword_odds(code, ber).corrected
    assert repaired == pytest.approx(expected, abs=5 * expected**0.5)


def test_nothing_is_corrected_in_trains_that_never_arrive() -> None:
    corrected = Corrected(np.array([2, 5, 9]), np.array([1, 3, 2]))
    rest = corrected.without(np.array([5, 7]))
    assert [column.tolist() for column in rest] == [[2, 9], [1, 2]]
