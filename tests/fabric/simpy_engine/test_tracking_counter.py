import pytest

from fabric.clocks.hac import FRACTION_BITS
from fabric.simpy_engine.tracking_counter import MeasuredLink, TrackingCounter
from specs.machine import MachineSpec, load_machine

EPOCH = 252


def counter_of(latency: int, rate: float = 0.0) -> tuple[TrackingCounter, MachineSpec]:
    machine = load_machine().with_settings({"hac.epoch_cycles": EPOCH})
    measured = MeasuredLink(
        latency=latency << FRACTION_BITS,
        rate=round(rate * 2**FRACTION_BITS),
        exchanges=256,
    )
    return TrackingCounter(machine, measured), machine


def test_an_adopted_counter_shows_the_latency_as_the_value_arrives() -> None:
    counter, _ = counter_of(latency=216)
    counter.adopt(cycle=1000)
    assert 1000 + counter.offset == 216


def test_a_window_is_full_after_its_last_reading() -> None:
    counter, machine = counter_of(latency=216)
    counter.adopt(cycle=1000)
    full = [
        counter.track(1000 + number * EPOCH)
        for number in range(1, 2 * machine.hac.window_epochs + 1)
    ]
    last = [False] * (machine.hac.window_epochs - 1) + [True]
    assert full == last * 2


@pytest.mark.parametrize("rate", [-0.5, 0.25])
def test_a_counter_makes_up_for_the_rate_of_its_crystal(rate: float) -> None:
    counter, machine = counter_of(latency=216, rate=rate)
    counter.adopt(cycle=1000)
    begin, epochs = counter.offset, 4 * machine.hac.window_epochs
    for number in range(1, epochs + 1):
        # A crystal that loses `rate` cycles an epoch counts fewer of them.
        counter.track(int(1000 + number * (EPOCH - rate)))
    assert counter.offset - begin == pytest.approx(rate * epochs, abs=1)


def test_a_counter_moves_by_no_more_than_the_slew_rate() -> None:
    counter, machine = counter_of(latency=216, rate=3.0)
    counter.adopt(cycle=1000)
    before = counter.offset
    counter.track(1000 + EPOCH)
    assert counter.offset - before == machine.hac.slew_counts
