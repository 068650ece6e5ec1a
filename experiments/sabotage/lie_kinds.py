"""Sabotage by statements that agree with each other and mean something else."""

from dataclasses import replace

import numpy as np

from chip.dataflow import Function, Value
from chip.mxm_tiling import tiling
from chip.operator_cycles import load_of, preloaded
from chip.operator_work import LoadWork, ProductWork, VectorWork, Work
from chip.program import Program
from experiments.sabotage.case import Change, Sabotage, SabotageCase
from experiments.sabotage.dataflow_edits import (
    chosen_operations,
    sorted_flow,
    with_flow,
    without_messages,
    without_regions,
)
from experiments.sabotage.operation_kinds import PRODUCTS
from experiments.sabotage.program_edits import (
    chosen_rows,
    computing,
    rows_of,
    with_rows,
)
from experiments.sabotage.work_edits import with_work
from sharding.planner.plan import ShardingPlan

Random = np.random.Generator
_SAME_COLUMNS = (
    *(Function.NORM_SCALE, Function.ACTIVATE, Function.SOFTMAX),
    Function.VECTOR,
)
_NO_VECTORS = (*PRODUCTS, Function.LOOKUP, Function.LOOKUP_ROWS)


def _copied(case: SabotageCase, random: Random) -> Program | None:
    """State that an operator's result is a sum of one term: what it reads."""
    flow = case.flow
    table, reads, writes = flow.operations, flow.reads, flow.writes
    found = np.flatnonzero(np.isin(table.function, _SAME_COLUMNS))
    if not len(found):
        return None
    operator = table.operator[random.choice(found)]
    own = np.flatnonzero(table.operator == operator)
    dropped: list[int] = []
    for one in own.tolist():
        made = np.flatnonzero(writes.owner == one)[0]
        read = np.flatnonzero(reads.owner == one)
        same = reads.first[read] == writes.first[made]
        same &= reads.last[read] == writes.last[made]
        if not same.any():
            return None
        dropped += np.delete(read, np.flatnonzero(same)[0]).tolist()
    changed = with_rows(table, own, function=Function.PARTIAL_SUM)
    kept = without_regions(reads, np.array(dropped, dtype=np.int64))
    return with_flow(case.program, operations=changed, reads=kept)


def _in_one(case: SabotageCase, random: Random) -> Program | None:
    """Drop a vector operator, and state that the one before does its work as well."""
    flow, chips = case.flow, case.program.chips
    table = flow.operations
    vectors = ~np.isin(table.function, _NO_VECTORS)
    key = table.operator[vectors].astype(np.int64) * chips + table.chip[vectors]
    both = key[np.isin(key + chips, key)]
    if not len(both):
        return None
    operator, chip = divmod(int(random.choice(both)), chips)
    code = case.program.instructions
    gone = rows_of(case.program, operator + 1, chip)
    kept = np.setdiff1d(np.arange(len(code)), gone)
    moved = np.flatnonzero((table.operator == operator + 1) & (table.chip == chip))
    joined = replace(flow, operations=with_rows(table, moved, operator=operator))
    return replace(
        case.program,
        instructions=chosen_rows(code, kept),
        dataflow=sorted_flow(joined),
    )


def _other_pass(case: SabotageCase, random: Random) -> Program | None:
    """Read what an earlier pass has made in place of what this one makes."""
    flow, reads = case.flow, case.flow.reads
    number = {value: place for place, value in enumerate(flow.values)}
    before = np.array(
        [number.get(v._replace(number=v.number - 1), -1) for v in flow.values]
    )
    rows = np.flatnonzero(before[reads.value] >= 0)
    if not len(rows):
        return None
    row = random.choice(rows, 1)
    value = before[reads.value[row]]
    return with_flow(case.program, reads=with_rows(reads, row, value=value))


def _answered(case: SabotageCase, random: Random) -> Program | None:
    """State that a value of a layer has rows for answered positions alone."""
    flow = case.flow
    sent = np.unique(flow.carried.value).tolist()
    found = [
        place
        for place, value in enumerate(flow.values)
        if value.name.startswith("layers.") and value.number >= 0 and place not in sent
        if flow.passes[value.number].answer_tokens
        < flow.passes[value.number].query_tokens
    ]
    if not found:
        return None
    place = int(random.choice(found))
    values = list(flow.values)
    values[place] = values[place]._replace(answered=True)
    return with_flow(case.program, values=tuple(values))


def _turned(case: SabotageCase, random: Random) -> Program | None:
    """State a region that ends before it begins, or at once."""
    name = str(random.choice(["reads", "writes", "carried"]))
    regions = getattr(case.flow, name)
    row = int(random.integers(len(regions)))
    edges = ("first", "last") if random.integers(2) else ("part_first", "part_last")
    begin, end = (int(getattr(regions, edge)[row]) for edge in edges)
    turned = {edges[0]: end, edges[1]: begin if random.integers(2) else end}
    return with_flow(case.program, **{name: with_rows(regions, row, **turned)})


def _with_less(of: type[Work], column: str) -> Change:
    """Return what halves a number of an operator's work, and what slices do for it."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        code, kinds = case.program.instructions, case.program.kinds
        fits = np.array(
            [isinstance(k.work, of) and getattr(k.work, column, 0) > 1 for k in kinds]
        )
        rows = computing(case.program)
        rows = rows[fits[code.kind[rows]]]
        if not len(rows):
            return None
        row = int(random.choice(rows))
        own = rows_of(case.program, int(code.operator[row]), int(code.chip[row]))
        work = kinds[int(code.kind[row])].work
        assert isinstance(work, ProductWork | VectorWork)
        half = work._replace(**{column: getattr(work, column) // 2})
        program = case.program
        if isinstance(half, ProductWork) and half.preloaded_rounds:
            half = preloaded(case.machine.chip, half, half.preloaded_rounds)
            program = _loading(case, row, half)
        return with_work(program, case.machine, own, half)

    return change


def _loading(case: SabotageCase, row: int, work: ProductWork) -> Program:
    """Load ahead of an instruction what a product of other bytes relies on."""
    program, code, done = case.program, case.program.instructions, 0
    operator, chip = int(code.operator[row]), int(code.chip[row])
    for each in rows_of(program, operator, chip, loads=True).tolist():
        load = case.program.kinds[int(code.kind[each])].work
        if isinstance(load, LoadWork):
            after = done + load.rounds
            less = load_of(case.machine.chip, work, done, after)
            program = with_work(program, case.machine, np.array([each]), less)
            done = after
    return program


def _ahead_of_keys(case: SabotageCase, random: Random) -> Program | None:
    """State that keys can be loaded before they are made."""
    table = case.flow.operations
    cached = np.isin(table.function, (Function.SCORES, Function.ATTEND))
    if not cached.any():
        return None
    one = int(random.choice(np.flatnonzero(cached)))
    rows = rows_of(case.program, int(table.operator[one]), int(table.chip[one]))
    work = case.program.kinds[int(case.program.instructions.kind[rows[0]])].work
    assert isinstance(work, ProductWork)
    rounds = tiling(case.machine.chip, work.operand_bytes).rounds(work.shape)
    if work.ready_rounds == rounds:
        return None
    ready = work._replace(ready_rounds=rounds)
    return with_work(case.program, case.machine, rows, ready)


def _renamed(value: Value, old: str, new: str) -> Value:
    return value._replace(name=new) if value.name == old else value


def _layer(case: SabotageCase, random: Random) -> Program | None:
    """Leave out a layer, and hand on the residual stream before it as if after it."""
    flow = case.flow
    if not isinstance(case.plan, ShardingPlan):
        return None
    layer = int(random.integers(1, case.plan.task.model.layers))
    block = f"layers.{layer}."
    own = np.array([name.startswith(block) for name in flow.names])
    gone = np.flatnonzero(own[flow.operations.name])
    operators = flow.operations.operator[gone]
    low, high = int(operators.min()), int(operators.max())
    code = case.program.instructions
    inside = (code.operator >= low) & (code.operator <= high) & (code.train < 0)
    program = replace(
        case.program, instructions=chosen_rows(code, np.flatnonzero(~inside))
    )
    sent = flow.messages.operator
    # Transfers of its last sum to the next stage stay.
    program = without_messages(program, np.flatnonzero((sent >= low) & (sent <= high)))
    assert program.dataflow is not None
    kept = np.setdiff1d(np.arange(len(flow.operations)), gone)
    program = replace(program, dataflow=chosen_operations(program.dataflow, kept))
    before, after = (f"layers.{n}.feed_forward.output" for n in (layer - 1, layer))
    values = tuple(_renamed(value, before, after) for value in flow.values)
    return with_flow(program, values=values)


_LESS: tuple[tuple[str, type[Work], str], ...] = (
    ("fewer bytes of weights read", ProductWork, "stored_bytes"),
    ("fewer bytes of vectors multiplied", ProductWork, "input_bytes"),
    ("fewer bytes of products written", ProductWork, "output_bytes"),
    ("fewer rows of a product", ProductWork, "rows"),
    ("a narrower mode of a product", ProductWork, "operand_bytes"),
    ("fewer operands of a vector operator", VectorWork, "operands"),
    ("fewer passes of a vector operator", VectorWork, "passes"),
    ("fewer reductions of a vector operator", VectorWork, "reductions"),
    ("fewer bits of a vector operator", VectorWork, "element_bits"),
)
LIE_KINDS = (
    Sabotage("a layer left out", "both", _layer),
    Sabotage("a copy in place of an operator", "statements", _copied),
    Sabotage("two operators in one instruction", "both", _in_one),
    Sabotage("a value of another pass read", "statements", _other_pass),
    Sabotage("rows of answered positions alone", "statements", _answered),
    Sabotage("a region that ends before it begins", "statements", _turned),
    Sabotage("keys loaded before they are made", "instructions", _ahead_of_keys),
    *(
        Sabotage(what, "instructions", _with_less(of, column))
        for what, of, column in _LESS
    ),
)
