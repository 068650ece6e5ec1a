"""Residency dataflow rules: what chips are given, their mirrors, the cache's order.

For `compiler.verify`; independent of the code that makes programs.
"""

import re

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.coverage import HeldRegions, overlapping
from compiler.dataflow_rules.latent.functions import latent_sizes
from compiler.dataflow_rules.regions import weight_of
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.weights.checkpoint_tensors import Part, checkpoint_parts
from sharding.planner.plan import ShardingPlan
from specs.arrays import Ints, row_order

# Ends of the names of what stays in memory and is no weight: caches, and states.
KEPT = ("_cache", "_state")
# Marks the copies of a tensor that several chips have.
_COPIES = re.compile(r"( from \d+)? \(copies\)$")


def check_residency(statements: Statements, plan: ShardingPlan) -> int:
    """Residency dataflow rule: refuse reads of weights that a chip lacks."""
    flow, read = statements.flow, statements.flow.reads
    names = [name for name, _, _ in flow.values]
    stays = [number < 0 and not name.endswith(KEPT) for name, number, _ in flow.values]
    rows = np.flatnonzero(np.array(stays, dtype=bool)[read.value])
    size = len(names)
    held = _held(plan, {name: place for place, name in enumerate(names)}, size)
    chip = flow.operations.chip[read.owner[rows]].astype(np.int64)
    key = chip * size + read.value[rows]
    # Experts follow each other in the rows of a matrix, or in its columns.
    wider = np.zeros((2, size), dtype=np.int64)
    np.maximum.at(wider[0], read.value[rows], read.last[rows])
    np.maximum.at(wider[1], read.value[rows], read.part_last[rows])
    by_columns = wider[1] > wider[0]
    across = by_columns[held[0] % size]
    own_across = by_columns[read.value[rows]]
    row, place = overlapping(
        (
            held[0],
            np.where(across, held[3], held[1]),
            np.where(across, held[4], held[2]),
        ),
        (
            key,
            np.where(own_across, read.part_first[rows], read.first[rows]),
            np.where(own_across, read.part_last[rows], read.last[rows]),
        ),
    )
    _, first, last, left, right = held[:, place]
    at = rows[row]
    first, last = np.maximum(first, read.first[at]), np.minimum(last, read.last[at])
    left = np.maximum(left, read.part_first[at])
    right = np.minimum(right, read.part_last[at])
    found = np.zeros(len(rows), dtype=np.uint64)
    meets = (first < last) & (left < right)
    weight = weight_of(first, last) * weight_of(left, right)
    np.add.at(found, row[meets], weight[meets])
    wanted = weight_of(read.first[rows], read.last[rows]) * weight_of(
        read.part_first[rows], read.part_last[rows]
    )
    missing = np.flatnonzero(found != wanted)
    if len(missing):
        lacking = int(rows[missing[0]])
        raise statements.violation(
            int(read.owner[lacking]),
            f"reads rows {read.first[lacking]} to {read.last[lacking] - 1} of "
            f"{names[int(read.value[lacking])]}, which the plan does not give it",
        )
    return len(rows)


def check_mirrors(statements: Statements, plan: ShardingPlan) -> int:
    """Mirror dataflow rule: refuse new keys or values that do not get to their mirror.

    The mirror of a chip is the member of its place in the next stage of its replica, or
    in the first one behind the last. A single stage has none.
    """
    if not plan.task.mirrored or plan.strategy.pipeline == 1:
        return 0
    flow = statements.flow
    mirror = np.full(statements.program.chips, -1, dtype=np.int64)
    for replica in plan.replicas:
        groups = [stage.chips for stage in replica.stages]
        for chips, following in zip(groups, groups[1:] + groups[:1], strict=True):
            mirror[chips] = following
    columns = ("source", "target", "value", "first", "last")
    sent, carried = flow.messages, flow.carried
    rows = np.array(
        [getattr(sent, name)[carried.owner] for name in columns[:2]]
        + [getattr(carried, name) for name in columns[2:]],
        dtype=np.int64,
    )
    there = set(zip(*rows.tolist(), strict=True))
    numbers = {(value.name, value.number): n for n, value in enumerate(flow.values)}
    checked = 0
    # Latents are new keys and values at once.
    functions = (Function.SCORES, Function.ATTEND)
    for function in functions if latent_sizes(statements) is None else functions[:1]:
        own = statements.of(function)
        made = statements.read(own, statements.input(1))
        works_on = flow.operations.chip[own]
        for place, operation in enumerate(own.tolist()):
            name = statements.graph[statements.name(operation)].inputs[1]
            value = numbers[name, int(flow.operations.number[operation])]
            chip = int(works_on[place])
            wanted = (chip, int(mirror[chip]), value, made.first[place])
            if (*wanted, made.last[place]) not in there:
                raise statements.violation(
                    operation,
                    f"reads {name}, which chip {mirror[chip]} does not get to mirror",
                )
            checked += 1
    return checked


def _held(plan: ShardingPlan, number: dict[str, int], values: int) -> Ints:
    """Return a plan's slices as the graph numbers them: key, rows and columns.

    The key is chip and value. Slices that the program does not read are left out.
    """
    parts = checkpoint_parts(plan.task.model)
    table = plan.slice_table
    names, tensors = table.names, table.columns["tensor"]
    order = np.argsort(tensors, kind="stable")
    ends = np.cumsum(np.bincount(tensors, minlength=len(names)))
    columns = {
        name: table.columns[name][order]
        for name in ("chip", "row_start", "row_end", "column_start", "column_end")
    }
    blocks = [np.zeros((5, 0), dtype=np.int64)]
    for tensor, (begin, end) in enumerate(zip([0, *ends[:-1]], ends, strict=True)):
        name = _COPIES.sub("", names[tensor])
        for part in parts.get(name, ()):
            value = number.get(part.name)
            if value is not None:
                own = {key: column[begin:end] for key, column in columns.items()}
                rows = _of_part(own, part)
                rows[0] = rows[0] * values + value
                blocks.append(rows)
    return np.concatenate(blocks, axis=1)


def _of_part(own: dict[str, Ints], part: Part) -> Ints:
    """Return chip, rows and columns of the slices of one part of a tensor.

    Of a vector, the columns are what the graph numbers.
    """
    outer, inner = ("column", "row") if part.is_vector else ("row", "column")
    start = own[f"{outer}_start"] - part.begin
    inside = (start >= 0) & (start < part.rows)
    first, last = start[inside], (own[f"{outer}_end"] - part.begin)[inside]
    left, right = own[f"{inner}_start"][inside], own[f"{inner}_end"][inside]
    if part.is_vector:
        left, right = 0 * left, 0 * left + 1
    return np.array(
        [
            own["chip"][inside],
            first + part.row,
            last + part.row,
            left + part.column,
            right + part.column,
        ]
    )


def tokens_at_start(statements: Statements, tokens_on: Ints) -> HeldRegions:
    """Return the tokens that some chips have when a pass begins, for coverage."""
    values = statements.flow.values
    tokens = [place for place, value in enumerate(values) if value.name == "tokens"]
    key = np.add.outer(tokens_on * len(values), np.array(tokens, dtype=np.int64))
    zero = 0 * key.ravel()
    return HeldRegions(key.ravel(), zero - 1, zero, zero + 1, zero, zero + 1)


def check_cache_order(statements: Statements) -> int:
    """Cache dataflow rule: refuse attention before an earlier pass has attended.

    The operators of a pass follow each other, but passes may alternate on a chip. All
    that they have in common are the KV cache, to which a pass adds the keys and values
    of its positions, and the states of linear attention, which it replaces.
    """
    flow, code = statements.flow, statements.program.instructions
    cached = np.array(
        [value.number < 0 and value.name.endswith(KEPT) for value in flow.values]
    )
    rows = np.flatnonzero(cached[flow.reads.value])
    owner, value = flow.reads.owner[rows], flow.reads.value[rows].astype(np.int64)
    chip = flow.operations.chip[owner].astype(np.int64)
    operator = flow.operations.operator[owner].astype(np.int64)
    # First and last cycle of each operator on a chip.
    operators = int(max(code.operator.max(initial=0), operator.max(initial=0))) + 1
    work = np.flatnonzero((code.operator >= 0) & (code.kind >= 0))
    keys, place = np.unique(
        code.chip[work].astype(np.int64) * operators + code.operator[work],
        return_inverse=True,
    )
    begins = np.full(len(keys), np.iinfo(np.int64).max)
    ends = np.zeros(len(keys), dtype=np.int64)
    np.minimum.at(begins, place, code.start_cycle[work])
    np.maximum.at(ends, place, code.start_cycle[work] + code.duration_cycles[work])
    at = np.searchsorted(keys, chip * operators + operator)
    order = row_order(chip, value, flow.operations.number[owner])
    chip, value, at, owner = chip[order], value[order], at[order], owner[order]
    alike = (chip[1:] == chip[:-1]) & (value[1:] == value[:-1])
    number = flow.operations.number[owner]
    alike &= number[1:] != number[:-1]
    early = np.zeros(len(owner), dtype=bool)
    early[1:] = alike & (begins[at[1:]] < ends[at[:-1]])
    return statements.must(
        ~early,
        owner,
        "attends before the keys and values of the pass before are there, or reads a "
        "state that it has not replaced yet",
    )
