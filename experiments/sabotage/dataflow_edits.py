"""Edits of what a program states about its operations and messages, for sabotage."""

from dataclasses import replace

import numpy as np

from chip.dataflow import Dataflow, Regions
from chip.program import Program
from experiments.sabotage.program_edits import chosen_rows, with_rows, without_trains
from specs.arrays import Ints


def with_flow(program: Program, **tables: object) -> Program:
    """Return a sabotaged program with some tables of its dataflow replaced."""
    assert program.dataflow is not None
    return replace(program, dataflow=replace(program.dataflow, **tables))  # type: ignore[arg-type]


def renumbered(regions: Regions, owners: Ints) -> Regions:
    """Return sabotaged regions of some owners, numbered in the order given."""
    place = np.full(
        int(max(owners.max(initial=0), regions.owner.max(initial=0))) + 1, -1
    )
    place[owners] = np.arange(len(owners))
    rows = np.flatnonzero(place[regions.owner] >= 0)
    rows = rows[np.argsort(place[regions.owner[rows]], kind="stable")]
    own = chosen_rows(regions, rows)
    return replace(own, owner=place[own.owner].astype(np.int32))


def chosen_operations(flow: Dataflow, operations: Ints) -> Dataflow:
    """Return a sabotaged dataflow with some operations, in the order given."""
    return replace(
        flow,
        operations=chosen_rows(flow.operations, operations),
        reads=renumbered(flow.reads, operations),
        writes=renumbered(flow.writes, operations),
    )


def sorted_flow(flow: Dataflow) -> Dataflow:
    """Return a sabotaged dataflow in the order of operators and chips."""
    table = flow.operations
    return chosen_operations(flow, np.lexsort((table.chip, table.operator)))


def without_operations(program: Program, operations: Ints) -> Program:
    """Return a sabotaged program that states nothing of some operations."""
    assert program.dataflow is not None
    flow = program.dataflow
    kept = np.setdiff1d(np.arange(len(flow.operations)), operations)
    return replace(program, dataflow=chosen_operations(flow, kept))


def without_messages(program: Program, messages: Ints) -> Program:
    """Return a sabotaged program without some messages and their trains."""
    flow = program.dataflow
    assert flow is not None
    trains = np.flatnonzero(np.isin(flow.train_message, messages))
    made = without_trains(program, trains)
    assert made.dataflow is not None
    kept = np.setdiff1d(np.arange(len(flow.messages)), messages)
    place = np.full(len(flow.messages), -1)
    place[kept] = np.arange(len(kept))
    return with_flow(
        made,
        messages=chosen_rows(flow.messages, kept),
        carried=renumbered(flow.carried, kept),
        train_message=place[made.dataflow.train_message].astype(np.int32),
    )


def without_regions(regions: Regions, rows: Ints) -> Regions:
    """Return sabotaged regions without some of them."""
    return chosen_rows(regions, np.setdiff1d(np.arange(len(regions)), rows))


def halved(regions: Regions, rows: Ints) -> Regions:
    """Return sabotaged regions, some of them with half their columns, at least one."""
    size = np.maximum(1, (regions.last[rows] - regions.first[rows]) // 2)
    return with_rows(regions, rows, last=regions.first[rows] + size)


def values_like(flow: Dataflow, *endings: str) -> Ints:
    """Return the values whose names end so, as numbers for sabotage."""
    names = [value.name.partition("@")[0] for value in flow.values]
    found = [place for place, name in enumerate(names) if name.endswith(endings)]
    return np.array(found, dtype=np.int64)
