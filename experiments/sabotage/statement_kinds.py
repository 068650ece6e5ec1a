"""Sabotage of what is computed: other values, stale caches, sums that lack terms."""

from dataclasses import replace

import numpy as np

from chip.dataflow import Function, Regions
from chip.operator_work import ProductWork, VectorWork
from chip.program import Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.dataflow_edits import (
    values_like,
    with_flow,
    without_regions,
)
from experiments.sabotage.program_edits import (
    chosen_rows,
    rows_of,
    with_rows,
)
from experiments.sabotage.work_edits import with_shape, with_work
from specs.arrays import Ints
from workloads.collective import TENSOR

Random = np.random.Generator
# Values that are sums of several parts.
_PARTIAL = (".partial", " (partial)")
# Of attention; the first of each is for keys, the second for values.
_TWINS = (
    ("key", "value"),
    ("biased_key", "biased_value"),
    ("keys", "values"),
    ("key_cache", "value_cache"),
)


def _twin_of(name: str) -> str:
    """Return the name of the value that stands where another one should."""
    block, _, own = name.rpartition(".")
    for one, other in _TWINS:
        if own in (one, other):
            return f"{block}.{other if own == one else one}"
    return name


def _twins(case: SabotageCase) -> Ints:
    """Return for each value the one to swap it with, itself if there is none."""
    values = case.flow.values
    number = {value: place for place, value in enumerate(values)}
    return np.array(
        [
            number.get(value._replace(name=_twin_of(value.name)), place)
            for place, value in enumerate(values)
        ]
    )


def _swapped_here(case: SabotageCase, random: Random) -> Program | None:
    """Swap keys and values in one operation."""
    flow, twins = case.flow, _twins(case)
    name = "reads" if random.integers(2) else "writes"
    regions: Regions = getattr(flow, name)
    size = len(flow.values)
    own = regions.owner.astype(np.int64) * size + regions.value
    other = regions.owner.astype(np.int64) * size + twins[regions.value]
    # Where an operation has both, the two would only change places.
    rows = np.flatnonzero((own != other) & ~np.isin(other, own))
    if not len(rows):
        return None
    rows = np.flatnonzero(regions.owner == regions.owner[random.choice(rows)])
    value = twins[regions.value[rows]]
    return with_flow(case.program, **{name: with_rows(regions, rows, value=value)})


def _swapped_everywhere(case: SabotageCase, random: Random) -> Program | None:
    """Swap the names of keys and values in all that a layer states."""
    flow = case.flow
    twins = np.flatnonzero(_twins(case) != np.arange(len(flow.values)))
    if not len(twins):
        return None
    block = flow.values[random.choice(twins)].name.rpartition(".")[0]
    values = tuple(
        value._replace(name=_twin_of(value.name))
        if value.name.startswith(f"{block}.")
        else value
        for value in flow.values
    )
    return with_flow(case.program, values=values)


def _stale(case: SabotageCase, random: Random) -> Program | None:
    """Read another part of the context, or other heads, from a cache."""
    reads = case.flow.reads
    own = np.isin(reads.value, values_like(case.flow, "key_cache", "value_cache"))
    if not own.any():
        return None
    row = int(random.choice(np.flatnonzero(own)))
    if random.integers(2):
        first, last = reads.part_first[row] + 1, reads.part_last[row] + 1
        changed = with_rows(reads, row, part_first=first, part_last=last)
    else:
        size = reads.last[row] - reads.first[row]
        first, last = reads.first[row] + size, reads.last[row] + size
        changed = with_rows(reads, row, first=first, last=last)
    return with_flow(case.program, reads=changed)


def _without_newest(case: SabotageCase, random: Random) -> Program | None:
    """Attend without the keys or values that this pass has made."""
    flow, reads = case.flow, case.flow.reads
    function = flow.operations.function[reads.owner]
    own = np.isin(function, (Function.SCORES, Function.ATTEND))
    own &= np.isin(reads.value, values_like(flow, ".keys", ".values"))
    if not own.any():
        return None
    row = random.choice(np.flatnonzero(own), 1)
    return with_flow(case.program, reads=without_regions(reads, row))


def _sums(case: SabotageCase) -> Ints:
    """Return the regions of partial sums that are read to be added."""
    flow = case.flow
    function = flow.operations.function[flow.reads.owner]
    added = np.isin(function, (Function.ADD, Function.TOTAL))
    partial = values_like(flow, *_PARTIAL, TENSOR)
    return np.flatnonzero(added & np.isin(flow.reads.value, partial))


def _term_left_out(case: SabotageCase, random: Random) -> Program | None:
    """Add all parts of a sum but for one."""
    reads, sums = case.flow.reads, _sums(case)
    if not len(sums):
        return None
    row = random.choice(sums, 1)
    if reads.part_last[row[0]] - reads.part_first[row[0]] == 1:
        return with_flow(case.program, reads=without_regions(reads, row))
    first = reads.part_first[row] + 1
    return with_flow(case.program, reads=with_rows(reads, row, part_first=first))


def _fewer_operands(case: SabotageCase, random: Random) -> Program | None:
    """Add fewer vectors than there are parts, in as many cycles as that takes."""
    sums = _sums(case)
    if not len(sums):
        return None
    row = int(random.choice(sums))
    table = case.flow.operations
    one = case.flow.reads.owner[row]
    rows = rows_of(case.program, int(table.operator[one]), int(table.chip[one]))
    work = case.program.kinds[int(case.program.instructions.kind[rows[0]])].work
    if not isinstance(work, VectorWork) or work.operands == 1:
        return None
    fewer = int(random.integers(1, work.operands))
    work = work._replace(operands=fewer, operations=min(fewer, work.operations))
    return with_work(case.program, case.machine, rows, work)


def _both_terms(case: SabotageCase, random: Random) -> Program | None:
    seed = random.integers(2**32)
    made = _fewer_operands(case, np.random.default_rng(seed))
    stated = _term_left_out(case, np.random.default_rng(seed))
    if made is None or stated is None:
        return None
    return replace(made, dataflow=stated.dataflow)


def _term_twice(case: SabotageCase, random: Random) -> Program | None:
    """Read a partial sum twice in one addition, or send it twice in one message."""
    flow, sums = case.flow, _sums(case)
    if not len(sums):
        return None
    name, row = "reads", int(random.choice(sums))
    sent = np.flatnonzero(
        np.isin(flow.carried.value, values_like(flow, *_PARTIAL, TENSOR))
    )
    if len(sent) and random.integers(2):
        name, row = "carried", int(random.choice(sent))
    regions: Regions = getattr(flow, name)
    again = np.insert(np.arange(len(regions)), row, row)
    made = with_flow(case.program, **{name: chosen_rows(regions, again)})
    if name == "reads":
        return made
    owner = int(regions.owner[row])
    own = np.flatnonzero(regions.owner == owner)
    payload = flow.messages.payload_bytes[owner]
    size = (regions.last - regions.first)[own]
    more = payload + int(payload * (regions.last - regions.first)[row] / size.sum())
    return with_flow(made, messages=with_rows(flow.messages, owner, payload_bytes=more))


def _expert(case: SabotageCase, random: Random, variant: str) -> Program | None:
    """Leave an expert's matrix out of a product, or its multiplication, or both."""
    flow, reads = case.flow, case.flow.reads
    same = (reads.owner[1:] == reads.owner[:-1]) & (reads.value[1:] == reads.value[:-1])
    product = flow.operations.function[reads.owner] == Function.PRODUCT
    own = np.flatnonzero(same & product[1:]) + 1
    own = own[np.isin(reads.value[own], values_like(flow, ".weight"))]
    if not len(own):
        return None
    row = random.choice(own, 1)
    one = int(reads.owner[row[0]])
    program = case.program
    if variant != "instructions":
        program = with_flow(program, reads=without_regions(reads, row))
    if variant != "statements":
        table = flow.operations
        rows = rows_of(program, int(table.operator[one]), int(table.chip[one]))
        work = program.kinds[int(program.instructions.kind[rows[0]])].work
        assert isinstance(work, ProductWork)
        held = int((reads.value[reads.owner == one] == reads.value[row[0]]).sum())
        matrices = work.shape.matrices * (held - 1) // held
        work = with_shape(work, work.shape._replace(matrices=matrices))
        program = with_work(program, case.machine, rows, work)
    return program


def _with_expert(variant: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        return _expert(case, random, variant)

    return Sabotage("an expert left out", variant, change)


STATEMENT_KINDS = (
    Sabotage("keys and values swapped in an operator", "statements", _swapped_here),
    Sabotage("keys and values swapped in a layer", "statements", _swapped_everywhere),
    Sabotage("a stale part of a cache read", "statements", _stale),
    Sabotage("attention without the newest position", "statements", _without_newest),
    Sabotage("a partial sum left out", "statements", _term_left_out),
    Sabotage("a partial sum left out", "instructions", _fewer_operands),
    Sabotage("a partial sum left out", "both", _both_terms),
    Sabotage("a partial sum added twice", "statements", _term_twice),
    *map(_with_expert, ("instructions", "statements", "both")),
)
