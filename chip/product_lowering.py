"""Lowering of a matrix product to instructions of MEM, MXM and VXM.

The data of a product flows from slice to slice: read, load, install, multiply,
accumulate, write. Each step starts a part of the pipeline fill after the one before.
Rounds of tiles are repeated instructions.
"""

from collections.abc import Iterator

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort
from chip.mxm_tiling import tiling
from chip.operator_cycles import (
    FILL_STEPS,
    chain_cycles,
    streaming_cycles,
)
from chip.operator_work import ProductWork
from chip.product_rounds import (
    Repeat,
    round_stored_bytes,
    rounds_of,
    widens,
)
from chip.slice_instructions import (
    SUM_BYTES,
    Interval,
    instruction,
    repeated,
    sram_read,
    sram_write,
    stream_count,
)
from specs.chip import ChipSpec


def lower_product(chip: ChipSpec, work: ProductWork) -> tuple[SliceInstruction, ...]:
    """Return a chip's slice instructions of a product, cycles counted from start."""
    fill, length = chip.matmul_fill_cycles, streaming_cycles(chip, work)
    if length == 0:
        return ()
    part = fill // FILL_STEPS
    rounds = rounds_of(chip, work)
    weights = [
        step for repeat in rounds.loads for step in _loads(chip, work, repeat, part)
    ]
    used = max((step.units for step in weights), default=0)
    inputs = sram_read(chip, work.input_bytes, Interval(0, length), first=used)
    used += inputs.units
    steps = [*weights, inputs, *_multiplications(chip, work, part)]
    first = rounds.installs[0].start + rounds.install_cycles
    leaves = first + 2 * part
    drain = Interval(leaves, length + fill - part - leaves)
    steps.append(
        instruction(
            SlicePort.MXM_ACCUMULATE,
            SliceOperation.ACCUMULATE,
            drain,
            size=work.output_bytes,
            units=chip.mxm_planes,
            streams=stream_count(chip, _sum_bytes(chip, work), drain.cycles),
        )
    )
    steps += _result_writes(chip, work, drain, part, used)
    # A round may take no whole byte of few input vectors, and multiplies all the same.
    moves = (SlicePort.MEM_READ, SlicePort.MEM_WRITE)
    return tuple(step for step in steps if step.bytes or step.port not in moves)


def _sum_bytes(chip: ChipSpec, work: ProductWork) -> int:
    """Return the bytes of the partial sums of all tiles that leave a chip's MXM."""
    cut = tiling(chip, work.operand_bytes)
    sums = cut.rounds(work.shape) * cut.at_once * cut.side * work.rows
    return sums * SUM_BYTES


def _loads(
    chip: ChipSpec, work: ProductWork, repeat: Repeat, part: int
) -> Iterator[SliceInstruction]:
    """Yield a chip's reads and loads of some rounds, and what widens them."""
    rounds = rounds_of(chip, work)
    before = work.preloaded_rounds
    if rounds.overlap and not before and repeat.start:
        before = 1
    last = before + repeat.times
    stored = round_stored_bytes(chip, work, last)
    stored -= round_stored_bytes(chip, work, before)
    when = Interval(repeat.start, rounds.load_cycles)
    yield repeated(
        sram_read(chip, -(-stored // repeat.times), when), repeat, size=stored
    )
    load = instruction(
        SlicePort.MXM_LOAD,
        SliceOperation.LOAD,
        Interval(repeat.start + part, rounds.load_cycles),
        size=0,
        units=chip.mxm_planes,
    )
    yield repeated(load, repeat, size=repeat.times * chip.round_bytes)
    if widens(chip, work):
        yield repeated(
            load._replace(port=SlicePort.VXM, step=SliceOperation.WIDEN, units=1),
            repeat,
            size=stored,
        )


def _multiplications(
    chip: ChipSpec, work: ProductWork, part: int
) -> Iterator[SliceInstruction]:
    """Yield a chip's installation and multiplication of all rounds of a product."""
    rounds, done = rounds_of(chip, work), 0
    for repeat in rounds.installs:
        start = repeat.start + part
        yield repeated(
            instruction(
                SlicePort.MXM_INSTALL,
                SliceOperation.INSTALL,
                Interval(start, rounds.install_cycles),
                size=0,
                units=chip.mxm_planes,
            ),
            repeat,
            size=repeat.times * chip.round_bytes,
        )
        through = done + repeat.times
        size, macs = (
            amount * through // rounds.number - amount * done // rounds.number
            for amount in (work.input_bytes, work.macs)
        )
        done = through
        yield repeated(
            instruction(
                SlicePort.MXM_MULTIPLY,
                SliceOperation.MULTIPLY,
                Interval(start + rounds.install_cycles, rounds.multiply_cycles),
                size=0,
                units=chip.mxm_planes,
                macs=macs,
            ),
            repeat,
            size=size,
        )


def _result_writes(
    chip: ChipSpec, work: ProductWork, drain: Interval, part: int, used: int
) -> list[SliceInstruction]:
    """Return a chip's write of results to SRAM, through the VXM chain if any."""
    end = drain.start + drain.cycles
    if not work.chain:
        comes = Interval(drain.start + part, drain.cycles)
        return [sram_write(chip, work.written_bytes, comes, first=used)]
    passing = Interval(end, chain_cycles(chip, work))
    beside = sram_read(chip, work.chain.read_bytes, passing, first=used)
    used += beside.units
    chain = instruction(
        SlicePort.VXM,
        SliceOperation.CHAIN,
        passing,
        size=work.output_bytes + work.chain.read_bytes,
        streams=stream_count(chip, work.written_bytes, passing.cycles),
    )
    comes = Interval(end + part, passing.cycles)
    return [beside, chain, sram_write(chip, work.written_bytes, comes, first=used)]
