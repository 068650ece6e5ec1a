"""Judgement of a sabotaged program: caught, harmless, or missed by the verifier."""

from dataclasses import fields, is_dataclass, replace
from typing import NamedTuple

import numpy as np

from chip.dataflow import Regions
from chip.program import Instructions, Program, instructions_of
from compiler.dataflow_rules.regions import begins_of_arrays
from compiler.ir.identity_map import IdentityMap
from compiler.verify import verify
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.program_edits import chosen_rows, columns_of
from fabric.replay import replay
from specs.arrays import Ints
from specs.errors import RackError, VerificationError

# Columns that say when something happens, not what; a deskew moves nothing but times.
_TIMES = ("start_cycle", "wire_cycle", "receive_cycle", "deskews")
_TOKENS = 2
_REGIONS = ("reads", "writes", "carried")
# What valid programs compute.
_VALID: IdentityMap[Program, object] = IdentityMap()
_NO_CODE = instructions_of(
    {f.name: np.zeros(0, dtype=np.int64) for f in fields(Instructions)}
)


class Judgement(NamedTuple):
    """Judgement of one draw of a sabotage.

    Attributes
    ----------
    verdict
        ``caught``, ``harmless``, ``missed``, or ``none`` if nothing could be changed.
    message
        Why the verifier refuses it; empty if it does not.
    differs
        Whether executing it with numbers fails or gives others; None if that is not
        possible.
    """

    verdict: str
    message: str = ""
    differs: bool | None = None


def judged(
    case: SabotageCase, sabotage: Sabotage, random: np.random.Generator
) -> Judgement:
    """Return the judgement of one draw of a sabotage.

    Parameters
    ----------
    case
        The valid program.
    sabotage
        What is done to it.
    random
        Source of the draw.
    """
    program = sabotage.change(case, random)
    if program is None:
        return Judgement("none")
    try:
        verify(program, case.topology, case.machine, plan=case.plan)
    except VerificationError as error:
        return Judgement("caught", str(error), _differs(case, program))
    differs = _differs(case, program)
    harmless = not differs and _is_harmless(case, program)
    return Judgement("harmless" if harmless else "missed", differs=differs)


def _differs(case: SabotageCase, program: Program) -> bool | None:
    """Return whether a program computes other numbers, or cannot be executed."""
    if case.results is None:
        return None
    try:
        return case.results(program) != _VALID.of(case.program, case.results)
    except (RackError, LookupError, ValueError, AssertionError):
        return True


def _is_harmless(case: SabotageCase, program: Program) -> bool:
    """Return whether a changed program does what it did.

    It does if nothing differs, or nothing but times, those of deskews among them, with
    which the simulated hardware neither misses nor loses a vector. A model that can be
    executed with numbers must also give the same ones.
    """
    if _equal(_content(program, ()), _content(case.program, ()), ()):
        return True
    contents = _content(program, _TIMES), _content(case.program, _TIMES)
    if not _equal(*contents, _TIMES):
        return False
    ran = replay(program, case.topology, case.machine, seed=1, tokens=_TOKENS)
    return ran.underflows == ran.overflows == 0


def _content(program: Program, ignored: tuple[str, ...]) -> object:
    """Return what a program does, with rows in an order that does not matter to it."""
    code, flow = program.instructions, program.dataflow
    stated: tuple[object, ...] = ()
    if flow is not None:
        # Operations may be in any order but that of their operators and chips.
        operations = columns_of(flow.operations)
        order = np.lexsort((operations["chip"], operations["operator"]))
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        flow = replace(
            flow,
            operations=chosen_rows(flow.operations, order),
            reads=replace(flow.reads, owner=place[flow.reads.owner].astype(np.int32)),
            writes=replace(
                flow.writes, owner=place[flow.writes.owner].astype(np.int32)
            ),
        )
        tables = [_sorted(_numbered(getattr(flow, name)), ()) for name in _REGIONS]
        rest = (flow.values, flow.names, flow.passes, flow.operations, flow.messages)
        stated = (*tables, *rest, flow.train_message)
    # The chips do not read for how long links are used after a deskew.
    deskews = replace(program.deskews, interval_cycles=0)
    rest_of = replace(program, instructions=_NO_CODE, dataflow=None, deskews=deskews)
    return _sorted(code, ignored), stated, rest_of


def _numbered(regions: Regions) -> Regions:
    """Return regions whose arrays are numbered from 0 on in each owner and value."""
    begins = begins_of_arrays(regions)
    first = np.concatenate(
        [
            [True],
            (regions.owner[1:] != regions.owner[:-1])
            | (regions.value[1:] != regions.value[:-1]),
        ]
    )[: len(regions)]
    number = np.cumsum(begins)
    base = np.maximum.accumulate(np.where(first, number, 0))
    return replace(regions, array=(number - base).astype(np.int32))


def _sorted(table: object, ignored: tuple[str, ...]) -> dict[str, Ints]:
    """Return a table's columns, but for some, with their rows in order."""
    columns = {k: v for k, v in columns_of(table).items() if k not in ignored}
    order = np.lexsort(tuple(columns.values()))
    return {name: column[order] for name, column in columns.items()}


def _equal(one: object, other: object, ignored: tuple[str, ...]) -> bool:
    """Return whether two records have the same numbers, but for some columns."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and np.array_equal(one, other)
    if is_dataclass(one):
        return type(one) is type(other) and all(
            _equal(getattr(one, f.name), getattr(other, f.name), ignored)
            for f in fields(one)
            if f.name not in ignored
        )
    if isinstance(one, dict):
        assert isinstance(other, dict)
        return all(_equal(one[key], other[key], ignored) for key in one)
    if isinstance(one, tuple):
        assert isinstance(other, tuple)
        return len(one) == len(other) and all(
            _equal(a, b, ignored) for a, b in zip(one, other, strict=True)
        )
    return one == other
