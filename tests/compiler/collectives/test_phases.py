from dataclasses import replace

import numpy as np
import pytest

from compiler.collectives.phases import (
    Adding,
    Phase,
    Sums,
    adding_up,
    bus_factor,
    phase,
)
from specs.machine import load_machine
from workloads.collective import Collective

MACHINE = load_machine()
ELEMENTS = MACHINE.link.vector_bytes // 2


VECTOR = MACHINE.link.vector_bytes


def reduction(source: list[int], target: list[int], vectors: list[int]) -> Phase:
    (made,) = phase(np.array(source), np.array(target), np.array(vectors), adds=True)
    return made.scaled(VECTOR)


def test_void_messages_and_messages_to_oneself_are_left_out() -> None:
    made = reduction([0, 1, 2], [1, 1, 0], [0, 5, 7])
    assert list(made.messages) == [(2, 0, 7 * VECTOR)]
    assert phase(np.array([3]), np.array([3]), 5) == []


def test_a_turned_phase_sends_everything_back_and_adds_only_if_told() -> None:
    (there,) = phase(np.array([0, 4]), np.array([1, 2]), 3, adds=True)
    back = there.turned()
    assert list(back.messages) == [(1, 0, 3), (2, 4, 3)]
    assert not back.adds
    assert back.turned(adds=True).adds


@pytest.mark.parametrize("senders", [1, 7, 15, 16, 40])
def test_a_chip_adds_what_it_received_to_its_own_as_many_at_once_as_pass_its_alus(
    senders: int,
) -> None:
    made = reduction(list(range(1, senders + 1)), [0] * senders, [4] * senders)
    chips, _, cycles = adding_up(MACHINE, made)
    assert chips.tolist() == [0]
    # 16 ALUs are chained, and 24 of 64 streams carry FP16 operands: the others weights
    # that load meanwhile, results and ports.
    chains = max(-(-(senders + 1) // 16), -(-2 * (senders + 1) // 24))
    fill = MACHINE.chip.vector_fill_cycles
    assert cycles.tolist() == [fill + 4 * ELEMENTS // 320 * chains]


def test_chips_that_receive_more_add_longer_and_an_all_gather_adds_nothing() -> None:
    made = reduction([1, 2, 3], [0, 0, 4], [4, 400, 4])
    chips, _, cycles = adding_up(MACHINE, made)
    assert chips.tolist() == [0, 4]
    assert cycles[0] > cycles[1]
    nothing = adding_up(MACHINE, made.turned())
    assert isinstance(nothing, Adding)
    assert (len(nothing.chips), nothing.works, len(nothing.cycles)) == (0, (), 0)


def test_each_chip_must_move_this_much_of_the_tensor() -> None:
    factors = [bus_factor(kind, 4) for kind in Collective]
    assert factors == [1.5, 0.75, 0.75, 1.0, 0.75, 1.0]


def test_the_last_byte_of_an_odd_share_is_added_too() -> None:
    made = reduction([1], [0], [1])
    odd = replace(made.messages, payload_bytes=made.messages.payload_bytes + 1)
    (work,) = adding_up(MACHINE, made._replace(messages=odd)).works
    assert work.elements == ELEMENTS + 1


def test_different_columns_from_several_chips_are_all_added_to_ones_own() -> None:
    made = reduction([1, 2], [0, 0], [1, 2])
    (work,) = adding_up(MACHINE, made).works
    assert (work.elements, work.operands) == (2 * ELEMENTS, 3)
    apart = made._replace(summed=np.array([3 * VECTOR, 0, 0]))
    (work,) = adding_up(MACHINE, apart).works
    assert (work.elements, work.operands) == (3 * ELEMENTS, 2)
    # Of two sums of its own, none was added to the other.
    twice = apart._replace(sums=Sums(1, 0, (0, 1)))
    (work,) = adding_up(MACHINE, twice).works
    assert work.operands == 3
