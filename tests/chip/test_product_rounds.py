from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.operator_work import ProductWork, Shape
from chip.product_rounds import (
    Repeat,
    Rounds,
    feed_bytes_per_cycle,
    load_round_cycles,
    read_bytes_per_cycle,
    round_stored_bytes,
    rounds_of,
    widens,
)
from specs.chip import ChipSpec
from specs.machine import load_machine

# Nine tiles of 10 x 10: three rounds of INT8, five of FP16.
PRODUCT = ProductWork(
    shape=Shape((30,), (30,)),
    rows=7,
    stored_bytes=900,
    operand_bytes=1,
    input_bytes=210,
    output_bytes=210,
    ready_rounds=3,
)


@st.composite
def any_rounds(draw: st.DrawFn) -> Rounds:
    number = draw(st.integers(1, 8))
    return Rounds(
        number=number,
        ahead=draw(st.integers(0, number)),
        load_cycles=draw(st.integers(1, 30)),
        install_cycles=draw(st.integers(0, 9)),
        multiply_cycles=draw(st.integers(1, 30)),
        overlap=draw(st.booleans()),
    )


def cycles_of(repeats: tuple[Repeat, ...]) -> list[int]:
    return [
        repeat.start + turn * repeat.interval
        for repeat in repeats
        for turn in range(repeat.times)
    ]


def step_by_step(rounds: Rounds) -> tuple[list[int], list[int], int]:
    """Return when rounds load and install and when the last ends, one after another."""
    loads, installs, buffered, multiplied = [], [], 0, 0
    for number in range(rounds.number):
        if number >= rounds.ahead:
            # The buffers are free once the round before is installed.
            begin = buffered if rounds.overlap else multiplied
            loads.append(begin)
            loaded = begin + rounds.load_cycles
        else:
            loaded = 0
        installs.append(max(loaded, multiplied))
        buffered = installs[-1] + rounds.install_cycles
        multiplied = buffered + rounds.multiply_cycles
    return loads, installs, multiplied


@given(rounds=any_rounds())
def test_the_closed_form_is_what_rounds_take_one_by_one(rounds: Rounds) -> None:
    loads, installs, end = step_by_step(rounds)
    assert cycles_of(rounds.loads) == loads
    assert cycles_of(rounds.installs) == installs
    assert rounds.last_install == installs[-1]
    assert rounds.cycles == end


@given(rounds=any_rounds())
def test_overlap_hides_the_shorter_of_load_and_multiplication(rounds: Rounds) -> None:
    serial, hidden = (rounds._replace(overlap=overlap) for overlap in (False, True))
    shorter = min(rounds.load_cycles, rounds.multiply_cycles)
    assert serial.interval - hidden.interval == shorter
    # The load of a round that nothing comes before is not hidden.
    behind = rounds.number - rounds.ahead - (rounds.ahead == 0)
    assert serial.cycles - hidden.cycles == behind * shorter


def test_no_round_takes_no_cycles() -> None:
    none = Rounds(0, 0, 20, 3, 0, overlap=False)
    assert (none.loads, none.installs) == ((), ())
    assert none.cycles == none.last_install == 0


@pytest.mark.parametrize(("mode", "number", "multiply"), [(1, 3, 7), (2, 5, 14)])
def test_rounds_of_a_product_multiply_its_rows(
    small_chip: ChipSpec, mode: int, number: int, multiply: int
) -> None:
    work = PRODUCT._replace(operand_bytes=mode, preloaded_rounds=1)
    assert rounds_of(small_chip, work) == Rounds(
        number=number,
        ahead=1,
        load_cycles=20,
        install_cycles=3,
        multiply_cycles=multiply,
        overlap=False,
    )
    hidden = small_chip.model_copy(update={"overlap_load": True})
    assert rounds_of(hidden, work).overlap


@pytest.mark.parametrize(
    ("update", "rate"),
    [
        pytest.param({}, 20, id="feed"),
        pytest.param({"stream_bytes_per_cycle": 30}, 15, id="half of the streams"),
        pytest.param({"mem_slices": 3}, 10, id="slices"),
        pytest.param({"sram_bytes_per_cycle": 12}, 12, id="SRAM"),
    ],
)
def test_the_narrowest_of_feed_streams_and_reads_feeds_weights(
    small_chip: ChipSpec, update: dict[str, int], rate: int
) -> None:
    assert feed_bytes_per_cycle(small_chip.model_copy(update=update)) == rate


def test_matrix_and_vectors_take_two_slices_from_what_may_be_read(
    small_chip: ChipSpec,
) -> None:
    assert read_bytes_per_cycle(small_chip) == (44 - 2) * 10


@pytest.mark.parametrize("slices", [1, 2, 3])
def test_a_chip_with_few_slices_reads_one_stream(
    small_chip: ChipSpec, slices: int
) -> None:
    few = small_chip.model_copy(update={"mem_slices": slices})
    assert read_bytes_per_cycle(few) == 10


def test_a_round_of_the_chip_loads_in_forty_cycles() -> None:
    # 4 x 320 x 320 B over 32 streams of 320 B, padding and all.
    chip = load_machine().chip
    tiny = PRODUCT._replace(shape=Shape((1,), (1,)), stored_bytes=1)
    assert load_round_cycles(chip, tiny) == 409_600 // 10_240 == 40


def test_weights_stored_wider_than_they_multiply_take_longer_to_read(
    small_chip: ChipSpec,
) -> None:
    fast = small_chip.model_copy(update={"weight_feed_bytes_per_cycle": 1000})
    # A round of 400 B; of FP16, 600 B of 1,800 in SRAM. Half of the streams: 200 B.
    assert load_round_cycles(fast, PRODUCT) == 2
    assert load_round_cycles(fast, PRODUCT._replace(stored_bytes=1800)) == 3


# Weights of four bits, multiplied in INT8 or FP16 mode.
NARROW = PRODUCT._replace(stored_bytes=450)


@pytest.mark.parametrize(
    ("work", "operations", "cycles"),
    [
        # 400 weights of INT8, or 200 of FP16, on 4 x 10 ALUs.
        pytest.param({}, 0, 20, id="for nothing"),
        pytest.param({}, 2, 20, id="as fast as the feed"),
        pytest.param({}, 3, 30, id="three operations"),
        pytest.param({"operand_bytes": 2}, 3, 20, id="fewer in FP16 mode"),
        pytest.param({"operand_bytes": 2}, 5, 25, id="five operations"),
        pytest.param({"stored_bytes": 900}, 9, 20, id="stored as wide"),
    ],
)
def test_weights_are_widened_on_the_way_at_the_rate_of_the_alus(
    small_chip: ChipSpec, work: dict[str, Any], operations: int, cycles: int
) -> None:
    chip = small_chip.model_copy(update={"widening_operations": operations})
    assert load_round_cycles(chip, NARROW._replace(**work)) == cycles


def test_only_weights_stored_narrower_than_they_multiply_are_widened(
    small_chip: ChipSpec,
) -> None:
    chip = small_chip.model_copy(update={"widening_operations": 1})
    assert widens(chip, NARROW)
    assert not widens(chip, PRODUCT)
    assert widens(chip, PRODUCT._replace(operand_bytes=2))
    assert not widens(small_chip, NARROW)


@given(mode=st.sampled_from([1, 2]), stored=st.integers(0, 2000))
def test_stored_bytes_are_spread_over_the_rounds_without_rest(
    small_chip: ChipSpec, mode: int, stored: int
) -> None:
    work = PRODUCT._replace(operand_bytes=mode, stored_bytes=stored)
    number = {1: 3, 2: 5}[mode]
    sums = [round_stored_bytes(small_chip, work, n) for n in range(number + 1)]
    assert (sums[0], sums[-1]) == (0, stored)
    each = [after - before for before, after in pairwise(sums)]
    assert max(each) - min(each) <= 1
