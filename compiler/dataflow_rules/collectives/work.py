"""Work of a collective: vector instructions are as long as what they add up.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Regions
from chip.operator_work import VectorWork
from chip.program import Opcode
from compiler.dataflow_rules.regions import begins_of_arrays
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.transfers import arrived_columns
from specs.arrays import Ints


def check_sum_work(statements: Statements) -> int:
    """Refuse a vector instruction of less than what it adds up."""
    flow, code = statements.flow, statements.program.instructions
    table, chips = flow.operations, statements.program.chips
    own = np.flatnonzero(code.opcode == Opcode.VECTOR)
    done = code.operator[own].astype(np.int64) * chips + code.chip[own]
    order = np.argsort(done)
    needed = table.operator.astype(np.int64) * chips + table.chip
    keys, place = np.unique(needed, return_inverse=True)
    kind = code.kind[own[order]][np.searchsorted(done[order], keys)]
    works = [each.work for each in statements.program.kinds]
    size = np.array(
        [
            work.elements * work.element_bits // 8
            if isinstance(work, VectorWork)
            else 0
            for work in works
        ],
        dtype=np.int64,
    )[kind]
    operands = np.array([getattr(w, "operands", 0) for w in works], dtype=np.int64)
    made = _union(flow.writes, place, len(keys))
    # To its own terms, or the sum that it has, a member adds what has arrived.
    rows = np.flatnonzero(begins_of_arrays(flow.reads))
    terms = np.bincount(
        flow.reads.owner[rows],
        weights=arrived_columns(statements, rows, with_sums=False),
        minlength=len(table),
    ).astype(np.int64)
    # Of sums of the same columns, one is on the way to the other.
    most = np.zeros(len(keys), dtype=np.int64)
    np.maximum.at(most, place, terms)
    apart = np.bincount(place[flow.writes.owner], array_bytes(flow.writes), len(keys))
    total = np.bincount(place, terms, len(keys)).astype(np.int64)
    terms = made + np.where(apart > made, most, total)
    statements.must(
        ((size >= made) & (size * operands[kind] >= terms))[place],
        np.arange(len(table)),
        "adds up fewer bytes than its regions have",
    )
    return len(table)


def _union(regions: Regions, place: Ints, count: int) -> Ints:
    """Return the columns of all regions of each instruction, each counted once.

    Parameters
    ----------
    regions, place
        Regions of operations, and the number of each operation's instruction.
    count
        Instructions.
    """
    key = place[regions.owner].astype(np.int64)
    span = int(regions.last.max(initial=0)) + 1
    first, last = key * span + regions.first, key * span + regions.last
    order = np.argsort(first, kind="stable")
    reached = np.maximum.accumulate(last[order])
    before = np.concatenate([[-1], reached])[: len(order)]
    new = np.maximum(0, last[order] - np.maximum(first[order], before))
    return np.bincount(key[order], new, count).astype(np.int64)


def array_bytes(regions: Regions) -> Ints:
    """Return the bytes of each region; all parts of an array are summed in them."""
    size = (regions.last - regions.first).astype(np.int64)
    return size * begins_of_arrays(regions)
