"""Round rules: tiles of a product load, install and multiply in order and in time.

For `compiler.verify`; independent of the code that makes programs. The number of tiles
and the cycles of a round are counted again from the shape of the product.
"""

from typing import NamedTuple

import numpy as np

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.operator_work import LoadWork, ProductWork, Shape
from chip.program import OperatorKind
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from specs.chip import ChipSpec
from specs.units import ceil_div

# An operand wider than a byte takes two byte planes.
_WIDE_PLANES = 2


class Times(NamedTuple):
    """Starts and ends of all repeats of some instructions, sorted by start."""

    start: Ints
    end: Ints


def times_of(steps: list[SliceInstruction]) -> Times:
    """Return the cycles of each repeat of instructions, for the rules of slices."""
    if not steps:
        return Times(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    starts = [
        each.start_cycle + each.interval_cycles * np.arange(each.repeats)
        for each in steps
    ]
    cycles = [np.full(each.repeats, each.duration_cycles) for each in steps]
    start, taken = np.concatenate(starts), np.concatenate(cycles)
    order = np.argsort(start, kind="stable")
    return Times(start[order], (start + taken)[order])


def tiles_of(shape: Shape, side: int) -> int:
    """Return the tiles that a product's matrices take, for the round rule."""
    deep = sum(-(-length // side) for length in shape.inner)
    wide = sum(-(-length // side) for length in shape.columns)
    return deep * wide * shape.matrices


def tiles_at_once(chip: ChipSpec, operand_bytes: int) -> int:
    """Return the tiles of a round in the mode of a product, for the round rule."""
    return chip.mxm_planes // (_WIDE_PLANES if operand_bytes > 1 else 1) or 1


def required_rounds(chip: ChipSpec, work: ProductWork) -> int:
    """Return the rounds of a product, for the rules of its amounts."""
    at_once = tiles_at_once(chip, work.operand_bytes)
    return ceil_div(tiles_of(work.shape, chip.lanes), at_once)


def widened_weights(chip: ChipSpec, work: ProductWork | LoadWork) -> int:
    """Return the weights of a round that the VXM widens, for the round rule."""
    if not chip.widening_operations:
        return 0
    if isinstance(work, LoadWork):
        widens, mode = work.widening, _WIDE_PLANES
    else:
        mode = work.operand_bytes
        widens = work.stored_bytes < work.weights * mode
    return widens * tiles_at_once(chip, mode) * chip.lanes * chip.lanes


def check_rounds(number: int, kind: OperatorKind, chip: ChipSpec) -> None:
    """Round hazard rule: refuse rounds out of order, or faster than they can be.

    Parameters
    ----------
    number, kind
        Kind of a product or of a load, and its number for the message.
    chip
        Chip that executes it.
    """
    work = kind.work
    assert isinstance(work, ProductWork | LoadWork)
    on = {port: [s for s in kind.steps if s.port is port] for port in SlicePort}
    loads = times_of(on[SlicePort.MXM_LOAD])
    least = ceil_div(chip.round_bytes, chip.weight_feed_bytes_per_cycle)
    if weights := widened_weights(chip, work):
        operations = weights * chip.widening_operations
        widen = [s for s in on[SlicePort.VXM] if s.step is SliceOperation.WIDEN]
        takes = ceil_div(operations, chip.vxm_alus * chip.lanes)
        least = max(least, takes)
        _check_cycles(number, "widens", times_of(widen), len(loads.start), takes)
    if isinstance(work, LoadWork):
        _check_cycles(number, "loads", loads, work.rounds, least)
        return
    rounds, ahead = required_rounds(chip, work), work.preloaded_rounds
    _check_cycles(number, "loads", loads, rounds - ahead, least)
    installs = times_of(on[SlicePort.MXM_INSTALL])
    _check_cycles(number, "installs", installs, rounds, chip.round_overhead_cycles)
    multiplies = times_of(on[SlicePort.MXM_MULTIPLY])
    at_once = tiles_at_once(chip, work.operand_bytes)
    wide = work.operand_bytes > 1
    rate = chip.mxm_fp16_macs_per_cycle if wide else chip.mxm_int8_macs_per_cycle
    row = ceil_div(at_once * chip.lanes * chip.lanes, rate)
    _check_cycles(number, "multiplies", multiplies, rounds, work.rows * row)
    _in_order(number, "installs", installs.start[ahead:], "is loaded", loads.end)
    _in_order(number, "multiplies", multiplies.start, "is installed", installs.end)
    _in_order(
        number, "installs", installs.start[1:], "has multiplied", multiplies.end[:-1]
    )
    if not chip.overlap_load:
        _in_order(
            number, "loads", loads.start[1:], "has multiplied", multiplies.end[ahead:-1]
        )
        if ahead and len(loads.start):
            first = multiplies.end[ahead - 1 : ahead]
            _in_order(number, "loads", loads.start[:1], "has multiplied", first)


def _check_cycles(
    number: int, what: str, times: Times, rounds: int, least: int
) -> None:
    """Refuse fewer or more rounds than asked, or one in less than its cycles."""
    if len(times.start) != rounds:
        raise violation(
            "a kind of operator does something else",
            f"operator kind {number} {what} {len(times.start)} rounds of tiles, "
            f"{rounds} are asked for",
        )
    short = np.flatnonzero(times.end - times.start < least)
    if len(short):
        at = int(short[0])
        raise violation(
            "a slice is faster than it can be",
            f"operator kind {number} {what} round {at} in "
            f"{times.end[at] - times.start[at]} cycles, and it takes {least}",
        )


def _in_order(number: int, what: str, starts: Ints, done: str, ends: Ints) -> None:
    """Refuse a round that begins a step before another has ended."""
    late = np.flatnonzero(starts < ends)
    if len(late):
        at = int(late[0])
        raise violation(
            "a round of tiles is out of order",
            f"operator kind {number} {what} a round at cycle {starts[at]}, before the "
            f"round that it waits for {done}, at cycle {ends[at]}",
        )
