"""Execution of a program with real numbers: memories of chips, operations, messages."""

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from chip.dataflow import Dataflow, Value
from chip.program import Program
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.events import events_of
from fabric.functional_engine.execution import Execution
from fabric.functional_engine.memory import Absent, Array, ChipMemory, Piece, joined
from fabric.functional_engine.regions import Region
from fabric.functional_engine.settings import OperatorSettings
from specs.errors import VerificationError


@final
class Executed:
    """What the chips hold after a program.

    Parameters
    ----------
    dataflow
        Dataflow of the program.
    memories
        Memory of each chip that took part.
    caches
        KV caches of all chips.
    """

    def __init__(
        self,
        dataflow: Dataflow,
        memories: Mapping[int, ChipMemory],
        caches: KeyValueCaches,
    ) -> None:
        self._numbers = {value: n for n, value in enumerate(dataflow.values)}
        self._memories = memories
        self.caches = caches

    def held(self, value: Value) -> dict[int, list[Piece]]:
        """Return the pieces of a value on each chip that has any."""
        number = self._numbers.get(value, -1)
        return {
            chip: memory.pieces(number)
            for chip, memory in sorted(self._memories.items())
            if memory.holds(number)
        }

    def assembled(self, value: Value, chips: frozenset[int], columns: int) -> Array:
        """Return a value of which some chips hold all columns, but each only some.

        Parameters
        ----------
        value, columns
            The value, and its number of columns.
        chips
            Chips that hold it.

        Raises
        ------
        VerificationError
            If they do not hold all of it.
        """
        union = ChipMemory()
        for chip, pieces in self.held(value).items():
            for piece in pieces if chip in chips else ():
                union.write(0, piece._replace(since=0))
        found = union.find(Region(0, 0, columns, 1), 0)
        if isinstance(found, Absent):
            raise VerificationError(f"no chip has {value.name}, {found}")
        return joined(found)


def execute(
    program: Program,
    *,
    weights: Mapping[str, Array],
    settings: Mapping[str, OperatorSettings],
    inputs: Mapping[Value, Mapping[int, Array | Piece]],
    kept: Mapping[Value, Mapping[int, Sequence[Piece]]] | None = None,
    caches: KeyValueCaches | None = None,
    dtype: DTypeLike = np.float32,
) -> Executed:
    """Execute a program with real numbers, in the order of its cycles.

    Parameters
    ----------
    program
        The program, with its dataflow.
    weights
        Weights by name: matrices with output features as rows; biases and weights of
        norms as vectors. Each chip is given what its instructions read of them.
    settings
        Settings by the name of an operator; operators without any take the defaults.
    inputs
        Values that are in memories from the start, by chip: the tokens of each pass,
        or pieces of values.
    kept
        Pieces of values that an earlier program left, by chip; None if there are none.
    caches
        KV caches of earlier programs, which grow; None if there are none.
    dtype
        Floating-point type of all arithmetic.

    Raises
    ------
    VerificationError
        If an operation or a message reads a region that is not in the chip's memory at
        its cycle.
    """
    if program.dataflow is None:
        raise VerificationError("the program does not state its dataflow")
    caches = KeyValueCaches() if caches is None else caches
    run = Execution(program.dataflow, weights, settings, caches, np.dtype(dtype))
    run.place(inputs)
    run.keep(kept or {})
    for event in events_of(program, program.dataflow):
        run.step(event)
    return Executed(program.dataflow, run.memories, caches)
