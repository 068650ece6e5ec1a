"""Rounds of a product on the MXM: when each one loads, installs and multiplies.

A round of tiles loads, installs, and multiplies all rows. The published program does
these one after the other (gapi); with `chip.overlap_load` a round loads while the one
before it multiplies. Rounds that were loaded ahead only install and multiply.
"""

from typing import NamedTuple

from chip.mxm_tiling import tiling
from chip.operator_work import ProductWork
from specs.chip import ChipSpec
from specs.units import ceil_div


class Repeat(NamedTuple):
    """Cycles at which something repeats: the first, how often, and after how many."""

    start: int
    times: int
    interval: int


class Rounds(NamedTuple):
    """Rounds of tiles of a product; cycles count from the first load.

    Attributes
    ----------
    number, ahead
        Rounds, and how many of them were loaded ahead.
    load_cycles, install_cycles, multiply_cycles
        Cycles of each step of a round.
    overlap
        Whether a round loads while the one before it multiplies.
    """

    number: int
    ahead: int
    load_cycles: int
    install_cycles: int
    multiply_cycles: int
    overlap: bool

    @property
    def interval(self) -> int:
        """Return the cycles from a round that loads to the next."""
        load, multiply = self.load_cycles, self.multiply_cycles
        both = max(load, multiply) if self.overlap else load + multiply
        return self.install_cycles + both

    @property
    def cycles(self) -> int:
        """Return the cycles from the first load to the last row, 0 without rounds."""
        if not self.number:
            return 0
        return self.last_install + self.install_cycles + self.multiply_cycles

    @property
    def last_install(self) -> int:
        """Return the cycle in which the last round begins to install."""
        last = self.installs[-1] if self.installs else Repeat(0, 1, 0)
        return last.start + (last.times - 1) * last.interval

    @property
    def installs(self) -> tuple[Repeat, ...]:
        """Return when rounds begin to install: those loaded ahead, and the others."""
        short = self.install_cycles + self.multiply_cycles
        begin = self.ahead * short + self.load_cycles
        if self.overlap and self.ahead:
            begin = (self.ahead - 1) * short + self.interval
        each = (
            Repeat(0, self.ahead, short),
            Repeat(begin, self.number - self.ahead, self.interval),
        )
        return tuple(repeat for repeat in each if repeat.times)

    @property
    def loads(self) -> tuple[Repeat, ...]:
        """Return when rounds begin to load."""
        short = self.install_cycles + self.multiply_cycles
        left = self.number - self.ahead
        if not self.overlap:
            each = [Repeat(self.ahead * short, left, self.interval)]
        elif self.ahead:
            begin = (self.ahead - 1) * short + self.install_cycles
            each = [Repeat(begin, left, self.interval)]
        else:
            begin = self.load_cycles + self.install_cycles
            each = [Repeat(0, 1, 1), Repeat(begin, left - 1, self.interval)]
        return tuple(repeat for repeat in each if repeat.times > 0)


def rounds_of(chip: ChipSpec, work: ProductWork) -> Rounds:
    """Return a chip's rounds of a product."""
    cut = tiling(chip, work.operand_bytes)
    return Rounds(
        number=cut.rounds(work.shape),
        ahead=work.preloaded_rounds,
        load_cycles=load_round_cycles(chip, work),
        install_cycles=chip.round_overhead_cycles,
        multiply_cycles=work.rows * cut.row_cycles,
        overlap=chip.overlap_load,
    )


def feed_bytes_per_cycle(chip: ChipSpec) -> int:
    """Return a chip's weight feed rate: the slowest of reading, carrying, feeding.

    Half of the streams carry weights at most: operands and results, and vectors of
    other chips, pass at the same time.
    """
    return min(chip.weight_feed_bytes_per_cycle, _weight_stream_bytes_per_cycle(chip))


def _weight_stream_bytes_per_cycle(chip: ChipSpec) -> int:
    """Return the bytes of weights that a chip reads onto streams in a cycle."""
    return min(chip.stream_bytes_per_cycle // 2, read_bytes_per_cycle(chip))


def read_bytes_per_cycle(chip: ChipSpec) -> int:
    """Return the bytes a chip's product may read in a cycle: a stream from each slice.

    Matrix and vectors lie in separate slices, which costs two at worst.
    """
    return min(chip.sram_bytes_per_cycle, max(1, chip.mem_slices - 2) * chip.lanes)


def load_round_cycles(chip: ChipSpec, work: ProductWork) -> int:
    """Return the cycles in which a chip loads a round of tiles, padded.

    Weights that are stored wider than they are multiplied take longer to read, as far
    as half of the streams carry them. Weights that are stored narrower pass the VXM on
    the way, with `chip.widening_operations` on each.
    """
    fed = ceil_div(chip.round_bytes, feed_bytes_per_cycle(chip))
    number = max(1, tiling(chip, work.operand_bytes).rounds(work.shape))
    stored = ceil_div(work.stored_bytes, number)
    fed = max(fed, ceil_div(stored, _weight_stream_bytes_per_cycle(chip)))
    if not widens(chip, work):
        return fed
    weights = tiling(chip, work.operand_bytes).at_once * chip.lanes * chip.lanes
    alus = chip.vxm_alus * chip.lanes
    return max(fed, ceil_div(weights * chip.widening_operations, alus))


def widens(chip: ChipSpec, work: ProductWork) -> bool:
    """Return whether a chip's VXM widens the weights of a product while they load."""
    narrower = work.stored_bytes < work.weights * work.operand_bytes
    return narrower and chip.widening_operations > 0


def round_stored_bytes(chip: ChipSpec, work: ProductWork, rounds: int) -> int:
    """Return the stored bytes of a product's first `rounds` rounds on a chip."""
    whole = max(1, tiling(chip, work.operand_bytes).rounds(work.shape))
    return work.stored_bytes * rounds // whole
