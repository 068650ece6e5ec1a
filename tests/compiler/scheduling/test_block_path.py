"""The path of a block, with products beside exchanges, in numbers made by hand."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from chip.operator_cycles import drain_cycles, work_cycles
from chip.operator_work import ProductWork, Shape
from compiler.scheduling.block_path import block_path
from compiler.scheduling.weight_prefetch import WeightPrefetcher
from sharding.operators.operators import Compute, Exchange, Pattern, Unit
from specs.machine import load_machine

CHIP = load_machine().with_settings({"chip.prefetch": False}).chip
DRAIN = drain_cycles(CHIP)
NONE = np.zeros(1, dtype=np.int64)


def product(rounds: int) -> Compute:
    # Four tiles are a round in INT8 mode.
    shape = Shape((4 * rounds * 320,), (320,))
    work = ProductWork(shape, 1, shape.elements, 1, 0, 0, ready_rounds=rounds)
    cycles = np.array([work_cycles(CHIP, work)])
    return Compute("p", Unit.MATMUL, (work,), cycles, cycles)


def exchange(beside: Compute | None = None) -> Exchange:
    return Exchange("e", Pattern.GATHER, NONE, NONE, beside=beside)


def cycles(operators: Sequence[Compute | Exchange], sent: int) -> int:
    path = block_path(operators, lambda _: sent, WeightPrefetcher(CHIP), ())
    return path.cycles


LONG, SHORT = product(40), product(2)
REST = replace(LONG, continues=True)
TAKES, BRIEF = (int(each.cycles[0]) for each in (LONG, SHORT))


def test_without_overlap_all_takes_its_turn() -> None:
    assert cycles([LONG, exchange(), SHORT], 100) == TAKES + 100 + BRIEF


@pytest.mark.parametrize("sent", [0, 100, 900, 10**6])
def test_what_is_beside_an_exchange_takes_the_longer_of_both(sent: int) -> None:
    assert cycles([exchange(SHORT)], sent) == max(sent, BRIEF)


@pytest.mark.parametrize("sent", [0, 100, 900, 10**6])
def test_the_rest_of_a_product_waits_for_the_exchange_alone(sent: int) -> None:
    # It starts while its first part drains.
    begin = max(sent, BRIEF - DRAIN)
    assert cycles([exchange(SHORT), REST], sent) == begin + TAKES


@pytest.mark.parametrize("sent", [0, 100, 900, 10**6])
def test_the_last_part_of_a_product_starts_while_the_first_drains(sent: int) -> None:
    late = replace(SHORT, continues=True)
    taken = cycles([LONG, exchange(late)], sent)
    assert taken == TAKES + max(sent, BRIEF - DRAIN)


def test_weights_load_ahead_beside_what_is_left_of_an_exchange() -> None:
    loading = load_machine().chip
    path = block_path(
        [exchange(SHORT), REST], lambda _: 2000, WeightPrefetcher(loading), ()
    )
    assert path.cycles < cycles([exchange(SHORT), REST], 2000)
