"""Sabotage of times: instructions, trains, deskews, marks and the period."""

from dataclasses import replace

import numpy as np

from chip.program import Opcode, Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.dataflow_edits import values_like
from experiments.sabotage.program_edits import (
    chosen_rows,
    moved_train,
    rows_of,
    with_code,
    with_rows,
)

Random = np.random.Generator


def _earlier(case: SabotageCase, random: Random) -> Program | None:
    """Start an instruction a cycle earlier; the train of a send or receive agrees."""
    program = case.program
    code = program.instructions
    row = int(random.choice(np.flatnonzero(code.start_cycle > 0)))
    start = code.start_cycle[row] - 1
    train, trains = int(code.train[row]), program.trains
    if train >= 0:
        receives = code.opcode[row] == Opcode.RECEIVE
        column = "receive_cycle" if receives else "wire_cycle"
        trains = with_rows(trains, train, **{column: start})
    if code.opcode[row] == Opcode.MARK:
        program = replace(program, token_cycles=int(start))
    changed = with_rows(code, row, start_cycle=start)
    return with_code(replace(program, trains=trains), changed)


def _overlapping(case: SabotageCase, random: Random) -> Program | None:
    """Move a train into the time of another on the same link."""
    trains = case.program.trains
    links, count = np.unique(trains.link, return_counts=True)
    shared = links[count > 1]
    if not len(shared):
        return None
    own = np.flatnonzero(trains.link == random.choice(shared))
    moved, met = random.choice(own, 2, replace=False).tolist()
    into = int(random.integers(0, trains.vectors[met]))
    cycles = int(trains.wire_cycle[met] - trains.wire_cycle[moved]) + into
    return moved_train(case.program, moved, cycles)


def _stall(case: SabotageCase, random: Random) -> Program | None:
    deskews = case.program.deskews
    if not len(deskews):
        return None
    stall = deskews.stall_cycles + int(random.choice([-1, 1])) * int(
        random.integers(1, deskews.stall_cycles)
    )
    return replace(case.program, deskews=replace(deskews, stall_cycles=stall))


def _dropped_deskew(case: SabotageCase, random: Random) -> Program | None:
    deskews = case.program.deskews
    if not len(deskews):
        return None
    kept = np.delete(np.arange(len(deskews)), random.integers(len(deskews)))
    return replace(case.program, deskews=chosen_rows(deskews, kept))


def _interval(case: SabotageCase, random: Random) -> Program | None:
    """State that links are used sooner after a deskew than they are."""
    deskews = case.program.deskews
    if not deskews.interval_cycles:
        return None
    stated = int(random.integers(1, deskews.interval_cycles))
    return replace(case.program, deskews=replace(deskews, interval_cycles=stated))


def _early_mark(case: SabotageCase, random: Random) -> Program | None:
    code, end = case.program.instructions, case.program.token_cycles
    row = np.flatnonzero((code.opcode == Opcode.MARK) & (code.start_cycle == end))
    early = int(random.integers(1, end))
    return with_code(case.program, with_rows(code, row, start_cycle=early))


def _early_end(case: SabotageCase, random: Random) -> Program | None:
    """Set the mark of the end early, and state that a token takes so many cycles."""
    made = _early_mark(case, random)
    assert made is not None
    marks = made.instructions.opcode == Opcode.MARK
    end = int(made.instructions.start_cycle[marks].max())
    return replace(made, token_cycles=end)


def _shortened(case: SabotageCase, random: Random) -> Program | None:
    """Shorten the period of all sequences to less than a token takes."""
    program = case.program
    period = int(random.integers(program.token_cycles // 2, program.token_cycles))
    return _with_period(program, period)


def _with_period(program: Program, period: int) -> Program:
    """Return the program with a period, and without deskews that are beyond it."""
    deskews = program.deskews
    kept = np.flatnonzero(deskews.start_cycle < period)
    interval = max(1, program.interval_cycles * period // program.period_cycles)
    return replace(
        program,
        period_cycles=period,
        interval_cycles=interval,
        deskews=chosen_rows(deskews, kept),
    )


def _before_sampling(case: SabotageCase, random: Random) -> Program | None:
    """Begin a token before the last was sampled, and state that it had ended."""
    program, flow = case.program, case.flow
    tokens = values_like(flow, "head.token")
    chosen = flow.writes.owner[np.isin(flow.writes.value, tokens)]
    if not len(chosen):
        return None
    rows = rows_of(program, int(flow.operations.operator[chosen[0]]))
    code = program.instructions
    sampled = int(code.start_cycle[rows].min())
    period = sampled - int(random.integers(1, 100))
    return _with_period(program, period)


def _before_sampling_stated(case: SabotageCase, random: Random) -> Program | None:
    made = _before_sampling(case, random)
    if made is None:
        return None
    code, end = made.instructions, made.token_cycles
    row = np.flatnonzero((code.opcode == Opcode.MARK) & (code.start_cycle == end))
    code = with_rows(code, row, start_cycle=made.period_cycles)
    return with_code(replace(made, token_cycles=made.period_cycles), code)


def _only_marks(case: SabotageCase, _random: Random) -> Program | None:
    code = case.program.instructions
    marks = chosen_rows(code, np.flatnonzero(code.opcode == Opcode.MARK))
    none = chosen_rows(case.program.trains, np.zeros(0, dtype=np.int64))
    return replace(case.program, instructions=marks, trains=none)


def _nothing_stated(case: SabotageCase, random: Random) -> Program | None:
    made = _only_marks(case, random)
    assert made is not None
    return replace(made, dataflow=None)


def _empty(case: SabotageCase, random: Random) -> Program | None:
    """Keep the marks alone, and state that nothing is computed or sent."""
    made, flow = _only_marks(case, random), case.flow
    assert made is not None
    none = np.zeros(0, dtype=np.int64)
    tables = {
        name: chosen_rows(getattr(flow, name), none)
        for name in ("operations", "reads", "writes", "messages", "carried")
    }
    empty = replace(flow, train_message=none.astype(np.int32), **tables)
    return replace(made, dataflow=empty)


TIMING_KINDS = (
    Sabotage("an instruction a cycle earlier", "instructions", _earlier, False),
    Sabotage("two trains on a link at once", "instructions", _overlapping, False),
    Sabotage("a deskew stalls for another time", "instructions", _stall),
    Sabotage("a deskew dropped", "instructions", _dropped_deskew, False),
    Sabotage("a shorter time after deskews stated", "statements", _interval, False),
    Sabotage("the end marked early", "instructions", _early_mark),
    Sabotage("the end marked early", "both", _early_end),
    Sabotage("a period too short", "instructions", _shortened),
    Sabotage("a token before the last is sampled", "instructions", _before_sampling),
    Sabotage("a token before the last is sampled", "both", _before_sampling_stated),
    Sabotage("marks and nothing else", "instructions", _only_marks, is_random=False),
    Sabotage("marks and nothing else", "statements", _nothing_stated, is_random=False),
    Sabotage("marks and nothing else", "both", _empty, is_random=False),
)
