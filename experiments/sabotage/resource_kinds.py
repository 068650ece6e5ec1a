"""Sabotage of resources: slices that do too much, memory that is stated as less."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from chip.functional_units import SliceInstruction, SlicePort
from chip.operator_work import ProductWork, VectorWork, Work
from chip.program import OperatorKind, Program, Slice
from experiments.sabotage.case import Change, Sabotage, SabotageCase
from experiments.sabotage.program_edits import computing, sorted_code, with_rows
from specs.arrays import Ints
from specs.chip import ChipSpec
from specs.units import ceil_div

Random = np.random.Generator


def _less_memory(kind: str, name: str) -> Sabotage:
    def change(case: SabotageCase, random: Random) -> Program | None:
        resident = case.program.resident
        size = getattr(resident, name)
        chips = np.flatnonzero(size)
        if not len(chips):
            return None
        chip = int(random.choice(chips))
        less = size.copy()
        # A prompt may need less of a cache than is reserved for it.
        less[chip] = int(random.integers(0, size[chip] // 4 + 1))
        return replace(case.program, resident=resident._replace(**{name: less}))

    return Sabotage(kind, "statements", change)


def _other_slice(case: SabotageCase, random: Random) -> Program | None:
    """Execute an instruction on a slice that cannot."""
    code, rows = case.program.instructions, computing(case.program)
    if not len(rows):
        return None
    row = int(random.choice(rows))
    others = [n for n in (Slice.MEM, Slice.MXM, Slice.VXM) if n != code.slice[row]]
    changed = with_rows(code, row, slice=int(random.choice(others)))
    return replace(case.program, instructions=sorted_code(changed))


def _other_port(case: SabotageCase, random: Random) -> Program | None:
    """Send or receive on another port than that of the link."""
    code = case.program.instructions
    moving = np.flatnonzero(code.train >= 0)
    if not len(moving):
        return None
    row = int(random.choice(moving))
    changed = with_rows(code, row, port=code.port[row] + 1)
    return replace(case.program, instructions=sorted_code(changed))


def _too_short(case: SabotageCase, random: Random) -> Program | None:
    """Take a slice or a port for fewer cycles than the instruction needs."""
    code, kinds = case.program.instructions, case.program.kinds
    row = int(random.choice(np.flatnonzero(code.duration_cycles > 1)))
    most = int(code.duration_cycles[row])
    if code.slice[row] == Slice.MEM:
        # Operands of a chain may be read for longer; weights and vectors count.
        steps = [s for s in kinds[code.kind[row]].steps if s.port is SlicePort.MEM_READ]
        most = min([most, *(s.end_cycle for s in steps if s.start_cycle == 0)])
    if most == 1:
        return None
    fewer = int(random.integers(1, most))
    changed = with_rows(code, row, duration_cycles=fewer)
    return replace(case.program, instructions=changed)


def _kinds_used(case: SabotageCase) -> Ints:
    """Return the kinds of operator that instructions name, as rows for sabotage."""
    kinds = case.program.instructions.kind
    return np.unique(kinds[kinds >= 0])


def _with_steps(
    case: SabotageCase, number: int, steps: tuple[SliceInstruction, ...]
) -> Program:
    """Return the program with other slice instructions of a kind, as long as they."""
    program, code = case.program, case.program.instructions
    kinds = list(program.kinds)
    ends = [0, 0]
    for place, each in enumerate((kinds[number].steps, steps)):
        ends[place] = max(step.end_cycle for step in each)
    kinds[number] = OperatorKind(kinds[number].work, steps)
    own = np.flatnonzero(code.kind == number)
    before = code.duration_cycles[own]
    takes = np.where(before == ends[0], ends[1], np.minimum(before, ends[1]))
    changed = with_rows(code, own, duration_cycles=takes)
    return replace(program, kinds=tuple(kinds), instructions=changed)


def _least_cycles(step: SliceInstruction, work: Work, chip: ChipSpec) -> int:
    """Return the cycles that slices need for a repeat, to sabotage them."""
    size = ceil_div(step.bytes, step.repeats)
    if step.port in (SlicePort.MEM_READ, SlicePort.MEM_WRITE):
        return ceil_div(size, step.units * chip.lanes)
    if step.port is SlicePort.MXM_LOAD:
        return ceil_div(size, chip.weight_feed_bytes_per_cycle)
    if step.port in (SlicePort.MXM_INSTALL, SlicePort.MXM_MULTIPLY):
        # A round takes its cycles, however few weights a tile has.
        return step.duration_cycles
    if isinstance(work, ProductWork):
        work = work.chain or VectorWork(0, 0)
    assert isinstance(work, VectorWork)
    return ceil_div(work.elements, chip.lanes)


def _hurried(port: SlicePort) -> Change:
    """Return what lets slices of a port work in half the cycles that they need."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        kinds, chip = case.program.kinds, case.machine.chip
        found = [
            number
            for number in _kinds_used(case).tolist()
            if any(
                step.port is port and _least_cycles(step, kinds[number].work, chip) > 1
                for step in kinds[number].steps
            )
        ]
        if not found:
            return None
        number = int(random.choice(found))
        work = kinds[number].work
        steps = tuple(
            step._replace(duration_cycles=max(1, _least_cycles(step, work, chip) // 2))
            if step.port is port
            else step
            for step in kinds[number].steps
        )
        return _with_steps(case, number, steps)

    return change


def _altered_rounds(edit: Callable[[SliceInstruction], SliceInstruction]) -> Change:
    """Return what alters the rounds of a product that loads them itself."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        kinds, found = case.program.kinds, []
        for number in _kinds_used(case).tolist():
            kind = kinds[number]
            steps = tuple(map(edit, kind.steps))
            loads = any(step.port is SlicePort.MXM_LOAD for step in kind.steps)
            if isinstance(kind.work, ProductWork) and loads and steps != kind.steps:
                found.append((number, steps))
        if not found:
            return None
        return _with_steps(case, *found[int(random.integers(len(found)))])

    return change


def _earlier(port: SlicePort) -> Change:
    """Return what begins a step of rounds a cycle before the one that it waits for."""

    def edit(step: SliceInstruction) -> SliceInstruction:
        early = step.start_cycle - (step.port is port)
        return step._replace(start_cycle=early)

    return _altered_rounds(edit)


def _closer(step: SliceInstruction) -> SliceInstruction:
    """Repeat a step of rounds a cycle too early."""
    closer = step.interval_cycles - (step.repeats > 1)
    return step._replace(interval_cycles=closer)


def _without_fill(case: SabotageCase, random: Random) -> Program | None:
    """Start all slices of a vector operator at once, as if nothing flowed."""
    kinds = case.program.kinds
    found = [
        number
        for number in _kinds_used(case).tolist()
        if isinstance(kinds[number].work, VectorWork)
        and getattr(kinds[number].work, "passes", 1) == 1
    ]
    if not found:
        return None
    number = int(random.choice(found))
    steps = tuple(step._replace(start_cycle=0) for step in kinds[number].steps)
    return _with_steps(case, number, steps)


def _replaced(name: str) -> Change:
    """Return what sets a number of the program to another one near it."""

    def change(case: SabotageCase, random: Random) -> Program | None:
        if name == "leader":
            leader = int(random.choice(case.topology.active[1:]))
            return replace(case.program, leader=leader)
        return replace(case.program, sequences=case.program.sequences + 1)

    return change


def _idle(case: SabotageCase, random: Random) -> Program | None:
    """Leave out what one slice does for an operator, but for the last."""
    program = case.program
    if not program.kinds:
        return None
    number = int(random.integers(len(program.kinds)))
    if len(program.kinds[number].steps) == 1:
        return None
    kind = program.kinds[number]
    left_out = int(random.integers(len(kind.steps)))
    if not kind.steps[left_out].bytes:
        return None
    steps = kind.steps[:left_out] + kind.steps[left_out + 1 :]
    kinds = list(program.kinds)
    kinds[number] = kind._replace(steps=steps)
    return replace(program, kinds=tuple(kinds))


def _other_program(kind: str) -> Sabotage:
    def change(case: SabotageCase, _random: Random) -> Program | None:
        return case.others.get(kind)

    return Sabotage(kind, "both", change, is_random=False)


SHORTER, SMALLER = "a program for half the context", "a program for half the batch"
RESOURCE_KINDS = (
    _less_memory("weights stated smaller", "weights"),
    _less_memory("a cache stated smaller", "kv_cache"),
    _less_memory("program text stated smaller", "program"),
    Sabotage("an instruction on another slice", "instructions", _other_slice, False),
    Sabotage("a train on another port", "instructions", _other_port, False),
    Sabotage("an instruction too short", "instructions", _too_short, False),
    Sabotage("a slice left out of an operator", "instructions", _idle, False),
    Sabotage("no time from slice to slice", "instructions", _without_fill, False),
    *(
        Sabotage(f"{what} in half the time", "instructions", _hurried(port), False)
        for what, port in (
            ("reads", SlicePort.MEM_READ),
            ("writes", SlicePort.MEM_WRITE),
            ("loads of weights", SlicePort.MXM_LOAD),
            ("installations", SlicePort.MXM_INSTALL),
            ("multiplications", SlicePort.MXM_MULTIPLY),
            ("vector operations", SlicePort.VXM),
        )
    ),
    *(
        Sabotage(f"tiles {what}", "instructions", _earlier(port), False)
        for what, port in (
            ("installed before they are loaded", SlicePort.MXM_INSTALL),
            ("multiplied before they are installed", SlicePort.MXM_MULTIPLY),
        )
    ),
    Sabotage(
        "rounds of tiles one in another",
        "instructions",
        _altered_rounds(_closer),
        False,
    ),
    Sabotage("another leader stated", "statements", _replaced("leader")),
    Sabotage("more sequences stated", "statements", _replaced("sequences")),
    _other_program(SHORTER),
    _other_program(SMALLER),
)
