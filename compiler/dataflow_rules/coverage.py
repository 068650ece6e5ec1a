"""Coverage rules: a chip has what it reads and sends, each number of it once.

For `compiler.verify`; independent of the code that makes programs.

A chip works operator after operator, by their numbers (the rule of structure). So what
an operator makes, and what messages bring, is there for the operators after it, and for
the functions chained behind it. Parts of a sum that a chip adds up stay, as one array.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.dataflow import Function, Regions
from compiler.dataflow_rules.regions import (
    begins_of_arrays,
    scattered,
    weight_of,
)
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.transfers import arrival_operators
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from specs.errors import VerificationError

Weights = NDArray[np.uint64]

# Bits of a number of a key and a column together.
_BITS = 62


class HeldRegions(NamedTuple):
    """Regions, for rules of coverage, with the chip that has or needs them, and when.

    Attributes
    ----------
    key
        Chip and value in one number.
    order
        Place in the chip's work: a region is there from it on, or needed at it.
    first, last, part_first, part_last
        The region.
    """

    key: Ints
    order: Ints
    first: Ints
    last: Ints
    part_first: Ints
    part_last: Ints

    def joined(self, other: "HeldRegions") -> "HeldRegions":
        """Return, for dataflow rules, the rows of both tables."""
        return HeldRegions(
            *(np.concatenate(pair) for pair in zip(self, other, strict=True))
        )

    def chosen(self, rows: Ints | NDArray[np.bool_]) -> "HeldRegions":
        """Return, for dataflow rules, some of the rows."""
        return HeldRegions(*(column[rows] for column in self))

    @property
    def parts_weight(self) -> Weights:
        """Return, for dataflow rules, the weight of each row's parts."""
        return weight_of(self.part_first, self.part_last)


def check_coverage(
    statements: Statements, start: HeldRegions, end: HeldRegions | None = None
) -> int:
    """Coverage dataflow rule: refuse a region that is not there just once.

    Parameters
    ----------
    statements
        The program's statements.
    start, end
        What chips have when a pass begins, and must have when it ends.
    """
    flow = statements.flow
    operations, messages = flow.operations, flow.messages
    chained = statements.chained
    longest = int(chained.max(initial=0)) + 2
    order = operations.operator.astype(np.int64) * longest + chained
    sent = messages.operator.astype(np.int64) * longest
    received = arrival_operators(statements) * longest + longest - 1
    own, views = np.arange(len(flow.values)), _bases_of_views(statements)
    written = _table(flow.writes, own, chip=operations.chip, order=order + 1)
    arrived = _table(flow.carried, own, chip=messages.target, order=received)
    arrived = arrived.joined(start)
    sums = operations.function == Function.PARTIAL_SUM
    there = written.chosen(~sums[flow.writes.owner]).joined(arrived)
    read = _table(flow.reads, own, chip=operations.chip, order=order)
    kept = np.array([value.number >= 0 for value in flow.values], dtype=bool)
    rows = np.flatnonzero(kept[flow.reads.value])
    wrong = _uncovered(there, read.chosen(rows), len(flow.values))
    if len(wrong):
        raise _missing(statements, flow.reads, int(rows[wrong[0]]), "reads")
    # What is sent is taken from the value for all rows, not from the part that goes.
    sources = _table(flow.carried, views, chip=messages.source, order=sent)
    arrays = _arrays(written, flow.writes).joined(_arrays(arrived, flow.carried))
    wrong = _unmatched(arrays, _arrays(sources, flow.carried))
    if len(wrong):
        row = int(np.flatnonzero(begins_of_arrays(flow.carried))[wrong[0]])
        raise _missing(statements, flow.carried, row, "sends")
    if end is None:
        return len(rows) + len(flow.carried)
    parts = end.parts_weight.astype(np.int64)
    wrong = _unmatched(arrays, end._replace(part_first=parts, part_last=parts))
    if len(wrong):
        chip, value = divmod(int(end.key[wrong[0]]), len(flow.values))
        columns = f"{end.first[wrong[0]]} to {end.last[wrong[0]] - 1}"
        raise violation(
            "the program computes something else",
            f"chip {chip} does not end with columns {columns} of "
            f"{flow.values[value].name} just once",
        )
    return len(rows) + len(flow.carried) + len(end.key)


def _bases_of_views(statements: Statements) -> Ints:
    """Return for each value that of which it is a part, mostly itself."""
    values = statements.flow.values
    number = {value: place for place, value in enumerate(values)}
    made = set(statements.flow.writes.value.tolist())
    return np.array(
        [
            place
            if place in made or not value.answered
            else number.get(value._replace(answered=False), place)
            for place, value in enumerate(values)
        ],
        dtype=np.int64,
    )


def _table(
    regions: Regions, value_of: Ints, *, chip: NDArray[np.int32], order: Ints
) -> HeldRegions:
    """Return regions with the chip and the order of their owners.

    Parameters
    ----------
    regions, value_of
        The regions, and the value to which each value belongs.
    chip, order
        Chip and place of each owner.
    """
    owner = regions.owner
    return HeldRegions(
        chip[owner].astype(np.int64) * len(value_of) + value_of[regions.value],
        order[owner],
        *(
            getattr(regions, name).astype(np.int64)
            for name in ("first", "last", "part_first", "part_last")
        ),
    )


def _arrays(table: HeldRegions, regions: Regions) -> HeldRegions:
    """Return the arrays of regions, with the weight of their parts as `part_first`.

    Rows of the table behind those of its regions are arrays of their own.
    """
    begins = np.concatenate(
        [begins_of_arrays(regions), np.ones(len(table.key) - len(regions), dtype=bool)]
    )
    first = np.flatnonzero(begins)
    if not len(first):
        return table
    parts = np.add.reduceat(table.parts_weight, first).astype(np.int64)
    return table.chosen(first)._replace(part_first=parts, part_last=parts)


def _unmatched(there: HeldRegions, needed: HeldRegions) -> Ints:
    """Return the rows of needed arrays that are not there once, column by column.

    An array is another one if it is a sum of other parts.
    """
    span = int(max(there.last.max(initial=0), needed.last.max(initial=0))) + 1
    shift = np.uint64(64 - _BITS + span.bit_length())

    def hashed(table: HeldRegions) -> Ints:
        mixed = scattered(table.key) ^ table.part_first.astype(np.uint64)
        # Few enough bits to leave room for columns; others are told apart below.
        return (mixed >> shift).astype(np.int64)

    row, other = overlapping(
        (hashed(there), there.first, there.last),
        (hashed(needed), needed.first, needed.last),
    )
    first = np.maximum(there.first[other], needed.first[row])
    last = np.minimum(there.last[other], needed.last[row])
    used = (first < last) & (there.order[other] <= needed.order[row])
    used &= there.key[other] == needed.key[row]
    used &= there.part_first[other] == needed.part_first[row]
    total = np.zeros(len(needed.key), dtype=np.uint64)
    np.add.at(total, row[used], weight_of(first[used], last[used]))
    return np.flatnonzero(total != weight_of(needed.first, needed.last))


def _uncovered(there: HeldRegions, needed: HeldRegions, values: int) -> Ints:
    """Return the rows of needed regions that are not covered exactly once."""
    by_parts = _wider_in_parts(there, values)
    row, other = overlapping(
        (there.key, *_edges(there, by_parts)), (needed.key, *_edges(needed, by_parts))
    )
    first = np.maximum(there.first[other], needed.first[row])
    last = np.minimum(there.last[other], needed.last[row])
    used = (
        (first < last)
        & (there.order[other] <= needed.order[row])
        & (there.part_first[other] >= needed.part_first[row])
        & (there.part_last[other] <= needed.part_last[row])
    )
    row, other, first, last = row[used], other[used], first[used], last[used]
    total = np.zeros(len(needed.key), dtype=np.uint64)
    np.add.at(total, row, weight_of(first, last) * there.parts_weight[other])
    wanted = weight_of(needed.first, needed.last) * needed.parts_weight
    return np.flatnonzero(total != wanted)


def overlapping(
    there: tuple[Ints, Ints, Ints], needed: tuple[Ints, Ints, Ints]
) -> tuple[Ints, Ints]:
    """Return, for dataflow rules, pairs of ranges that may overlap: needed, and there.

    Ranges that are there are taken by the order of magnitude of their length, so that
    few pairs that share nothing are looked at.

    Parameters
    ----------
    there, needed
        Key, begin and end of each range; only ranges of equal keys overlap.
    """
    (key, begin, end), (other_key, low_edge, high_edge) = there, needed
    rows, others = [], []
    length = end - begin
    span = int(max(end.max(initial=0), high_edge.max(initial=0))) + 1
    base = other_key * span
    longest = 1
    while longest < 2 * max(1, int(length.max(initial=0))):
        own = np.flatnonzero((length >= longest) & (length < 2 * longest))
        longest *= 2
        if not len(own):
            continue
        place = key[own] * span + begin[own]
        order = np.argsort(place, kind="stable")
        own, place = own[order], place[order]
        low = np.searchsorted(place, base + np.maximum(low_edge - longest + 1, 0))
        count = np.maximum(np.searchsorted(place, base + high_edge) - low, 0)
        row = np.repeat(np.arange(len(count)), count)
        within = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
        rows.append(row)
        others.append(own[np.repeat(low, count) + within])
    none = np.zeros(0, dtype=np.int64)
    return np.concatenate([none, *rows]), np.concatenate([none, *others])


def _wider_in_parts(table: HeldRegions, values: int) -> NDArray[np.bool_]:
    """Return whether each value has more parts than columns, shape ``(values,)``."""
    extent = np.zeros((2, values), dtype=np.int64)
    value = table.key % values
    np.maximum.at(extent[0], value, table.last)
    np.maximum.at(extent[1], value, table.part_last)
    wider: NDArray[np.bool_] = extent[1] > extent[0]
    return wider


def _edges(table: HeldRegions, by_parts: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return the edges of regions in their parts, of some values, or their columns."""
    flag = by_parts[table.key % len(by_parts)]
    return (
        np.where(flag, table.part_first, table.first),
        np.where(flag, table.part_last, table.last),
    )


def _missing(
    statements: Statements, regions: Regions, row: int, what: str
) -> VerificationError:
    """Return the error of a region that is read or sent and is not there."""
    flow, owner = statements.flow, int(regions.owner[row])
    columns = f"columns {int(regions.first[row])} to {int(regions.last[row]) - 1}"
    region = f"{columns} of {flow.values[int(regions.value[row])].name}"
    if what == "reads":
        return statements.violation(
            owner, f"reads {region}, which are not there just once"
        )
    return statements.unsent(owner, region)
