"""What `check_rounds` refuses: rounds out of order, too short, or too few."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.lowering import lower
from chip.mxm_tiling import tiling
from chip.operator_cycles import load_of, most_preload_rounds, preloaded
from chip.operator_work import LoadWork, ProductWork, Shape
from chip.program import OperatorKind
from compiler.hazard_rules.rounds import (
    check_rounds,
    required_rounds,
    tiles_at_once,
    tiles_of,
    times_of,
    widened_weights,
)
from specs.chip import ChipSpec
from specs.errors import VerificationError
from specs.machine import load_machine

CHIP = load_machine().chip
OVERLAP = CHIP.model_copy(update={"overlap_load": True})
WIDENS = CHIP.model_copy(update={"widening_operations": 3})
# Twelve tiles of INT8 are three rounds. A round loads in 40 cycles, installs in 12, and
# multiplies in 8: one every 60, from a part of the fill, 38 cycles, on.
PRODUCT = ProductWork(Shape((960,), (1280,)), 8, 960 * 1280, 1, 7_680, 20_480, 3)
# Stored in four bits: 409,600 weights of three operations on 5,120 ALUs.
NARROW = PRODUCT._replace(stored_bytes=480 * 1280)


def altered(kind: OperatorKind, step: SliceOperation, **changes: Any) -> OperatorKind:
    """Return a kind with all instructions of an operation changed."""
    steps = tuple(
        each._replace(**changes) if each.step is step else each for each in kind.steps
    )
    assert steps != kind.steps
    return OperatorKind(kind.work, steps)


def lowered(chip: ChipSpec, work: ProductWork | LoadWork) -> OperatorKind:
    return OperatorKind(work, lower(chip, work))


def refused(chip: ChipSpec, kind: OperatorKind, match: str) -> None:
    with pytest.raises(VerificationError, match=match):
        check_rounds(5, kind, chip)


def test_times_are_those_of_each_repeat_in_order() -> None:
    load = SliceInstruction(
        SlicePort.MXM_LOAD,
        SliceOperation.LOAD,
        0,
        4,
        10,
        5,
        repeats=3,
        interval_cycles=7,
    )
    times = times_of([load._replace(start_cycle=12, repeats=1), load])
    assert times.start.tolist() == [10, 12, 17, 24]
    assert times.end.tolist() == [15, 17, 22, 29]
    assert times_of([]).start.tolist() == []


parts = st.lists(st.integers(1, 900), min_size=1, max_size=3).map(tuple)
shapes = st.builds(Shape, parts, parts, st.integers(1, 5))


@given(shape=shapes, mode=st.sampled_from([1, 2]))
def test_tiles_and_rounds_are_counted_again_as_they_are_cut(
    shape: Shape, mode: int
) -> None:
    cut, work = tiling(CHIP, mode), ProductWork(shape, 1, 1, mode, 1, 1)
    assert tiles_of(shape, 320) == cut.tiles(shape)
    assert tiles_at_once(CHIP, mode) == cut.at_once == 4 // mode
    assert required_rounds(CHIP, work) == cut.rounds(shape)


def test_only_narrow_weights_are_widened() -> None:
    # A round of four tiles of INT8, or two of FP16.
    assert widened_weights(WIDENS, NARROW) == 4 * 320 * 320
    assert widened_weights(WIDENS, NARROW._replace(operand_bytes=2)) == 2 * 320 * 320
    assert widened_weights(WIDENS, PRODUCT) == widened_weights(CHIP, NARROW) == 0
    load = LoadWork(rounds=1, round_cycles=60, stored_bytes=1)
    assert widened_weights(WIDENS, load) == 0
    # Its mode is the product's to know: at least those of FP16.
    assert widened_weights(WIDENS, load._replace(widening=True)) == 2 * 320 * 320


@st.composite
def lowered_works(draw: st.DrawFn) -> tuple[ChipSpec, ProductWork, int]:
    """A chip of any settings of rounds, a product, and its rounds loaded ahead."""
    chip = CHIP.model_copy(
        update={
            "overlap_load": draw(st.booleans()),
            "widening_operations": draw(st.integers(0, 3)),
            "mxm_buffer_bytes": 3 * CHIP.round_bytes,
        }
    )
    shape, rows = draw(shapes), draw(st.integers(1, 60))
    stored = -(-shape.elements * draw(st.sampled_from([4, 8, 16])) // 8)
    work = ProductWork(shape, rows, stored, draw(st.sampled_from([1, 2])), rows, rows)
    ready = draw(st.integers(0, min(3, required_rounds(chip, work))))
    return chip, work._replace(ready_rounds=ready), ready


@given(case=lowered_works())
def test_what_is_lowered_keeps_to_the_rounds(
    case: tuple[ChipSpec, ProductWork, int],
) -> None:
    chip, work, ready = case
    most = most_preload_rounds(chip, work)
    check_rounds(0, lowered(chip, preloaded(chip, work, most)), chip)
    if ready:
        check_rounds(0, lowered(chip, load_of(chip, work, 0, ready)), chip)


@pytest.mark.parametrize(
    ("step", "changes", "why"),
    [
        ("LOAD", {"repeats": 2}, "loads 2 rounds of tiles, 3 are asked for"),
        ("INSTALL", {"repeats": 2}, "installs 2 rounds of tiles, 3 are asked for"),
        ("MULTIPLY", {"repeats": 4}, "multiplies 4 rounds of tiles, 3 are asked for"),
        ("LOAD", {"duration_cycles": 39}, "loads round 0 in 39 .* it takes 40"),
        ("INSTALL", {"duration_cycles": 11}, "installs round 0 in 11 .* it takes 12"),
        ("MULTIPLY", {"duration_cycles": 7}, "multiplies round 0 in 7 .* it takes 8"),
        # The first round loads from 38 on, is installed from 78, multiplies from 90.
        ("INSTALL", {"start_cycle": 77}, "installs .* 77, .* is loaded, at cycle 78"),
        (
            "MULTIPLY",
            {"start_cycle": 89},
            "multiplies .* 89, .* installed, at cycle 90",
        ),
        # The second is installed from 138 on.
        (
            "MULTIPLY",
            {"start_cycle": 131},
            "installs .* 138, .* has multiplied, at cycle 139",
        ),
    ],
)
def test_rounds_too_few_too_short_or_out_of_order_are_refused(
    step: str, changes: dict[str, int], why: str
) -> None:
    for chip in (CHIP, OVERLAP):
        kind = lowered(CHIP, PRODUCT)
        check_rounds(5, kind, chip)
        wrong = altered(kind, SliceOperation[step], **changes)
        refused(chip, wrong, f"operator kind 5 {why}")


@pytest.mark.parametrize("ahead", [0, 1])
def test_a_round_that_loads_before_the_one_before_has_multiplied_is_refused(
    ahead: int,
) -> None:
    kind = lowered(CHIP, preloaded(CHIP, PRODUCT, ahead))
    if ahead:
        # The round that was there multiplies until 38 + 12 + 8; the next loads.
        changes = {"start_cycle": 57, "interval_cycles": 61}
        match = r"out of order: .* 5 loads .* 57, .* multiplied, at cycle 58"
    else:
        # The first multiplies until 98, the second loads.
        changes = {"interval_cycles": 59}
        match = r"out of order: .* 5 loads .* 97, .* multiplied, at cycle 98"
    early = altered(kind, SliceOperation.LOAD, **changes)
    refused(CHIP, early, match)
    check_rounds(5, early, OVERLAP)


def test_a_wide_product_in_the_rounds_of_a_narrow_one_is_refused() -> None:
    kind = lowered(CHIP, PRODUCT)._replace(work=PRODUCT._replace(operand_bytes=2))
    refused(CHIP, kind, "loads 3 rounds of tiles, 6 are asked for")


def test_fewer_tiles_than_the_matrices_have_are_refused() -> None:
    # A column more takes three tiles more, a round.
    wider = PRODUCT._replace(shape=Shape((960,), (1281,)))
    refused(CHIP, lowered(CHIP, PRODUCT)._replace(work=wider), "3 .*, 4 are asked for")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"repeats": 2}, "widens 2 rounds of tiles, 3 are asked for"),
        ({"duration_cycles": 239}, "widens round 0 in 239 cycles, and it takes 240"),
    ],
)
def test_rounds_that_are_not_widened_in_time_are_refused(
    changes: dict[str, int], why: str
) -> None:
    kind = lowered(WIDENS, NARROW)
    check_rounds(5, kind, WIDENS)
    refused(WIDENS, altered(kind, SliceOperation.WIDEN, **changes), why)
    # The MXM takes weights no faster than they are widened.
    fast = altered(kind, SliceOperation.LOAD, duration_cycles=239)
    refused(WIDENS, fast, "loads round 0 in 239 cycles, and it takes 240")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"repeats": 1}, "loads 1 rounds of tiles, 2 are asked for"),
        ({"duration_cycles": 39}, "loads round 0 in 39 cycles, and it takes 40"),
    ],
)
def test_a_load_ahead_of_a_product_takes_its_rounds(
    changes: dict[str, int], why: str
) -> None:
    kind = lowered(CHIP, load_of(CHIP, PRODUCT, 0, 2))
    check_rounds(5, kind, CHIP)
    refused(CHIP, altered(kind, SliceOperation.LOAD, **changes), why)
