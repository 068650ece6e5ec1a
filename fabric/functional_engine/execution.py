"""Execution of one program, event by event, on the memories of its chips."""

from collections.abc import Mapping, Sequence
from typing import Any, final

import numpy as np

from chip.dataflow import Dataflow, Function, Pass, Value
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.events import Event
from fabric.functional_engine.functions.attention import join_attended
from fabric.functional_engine.functions.table import FUNCTIONS, LATENT_FUNCTIONS
from fabric.functional_engine.memory import (
    Absent,
    Array,
    ChipMemory,
    Found,
    Piece,
    joined,
)
from fabric.functional_engine.regions import (
    Rectangle,
    Region,
    array_regions,
    operand_regions,
    rectangles_of,
)
from fabric.functional_engine.settings import OperatorSettings
from specs.errors import SpecError, VerificationError

_CACHE, _STATE = "_cache", "_state"
# Values whose parts are joined by their softmax sums.
_ATTENDED = ".attended"
_SCORING = (Function.SCORES, Function.SOFTMAX)
_ATTENTION = (*_SCORING, Function.ATTEND)
_DEFAULT = OperatorSettings()
_NO_NUMBERS = np.zeros(0)


@final
class Execution:
    """Execution of one program, event by event.

    Parameters
    ----------
    dataflow
        Dataflow of the program.
    weights, settings, caches, dtype
        As in `fabric.functional_engine.executor.execute`.

    Attributes
    ----------
    memories
        Memory of each chip that takes part.
    """

    def __init__(
        self,
        dataflow: Dataflow,
        weights: Mapping[str, Array],
        settings: Mapping[str, OperatorSettings],
        caches: KeyValueCaches,
        dtype: np.dtype[Any],
    ) -> None:
        self._dataflow = dataflow
        self._weights = {
            name: array.astype(dtype, copy=False) for name, array in weights.items()
        }
        self._settings = settings
        self._caches = caches
        self.memories: dict[int, ChipMemory] = {}
        operations, messages = len(dataflow.operations), len(dataflow.messages)
        self._reads = rectangles_of(dataflow.reads, operations)
        self._writes = rectangles_of(dataflow.writes, operations)
        self._carried = rectangles_of(dataflow.carried, messages)
        numbers = {value: n for n, value in enumerate(dataflow.values)}
        # Of a value's answered rows, the value with all rows.
        self._whole = {
            n: numbers[value._replace(answered=False)]
            for value, n in numbers.items()
            if value.answered and value._replace(answered=False) in numbers
        }
        self._numbers = numbers
        self._sharers = self._context_sharers()

    def _context_sharers(self) -> dict[int, list[Rectangle]]:
        """Return the parts of the context that chips score, by value."""
        sharers: dict[int, set[Rectangle]] = {}
        scoring = np.flatnonzero(np.isin(self._dataflow.operations.function, _SCORING))
        for number in scoring.tolist():
            for written in self._writes[number]:
                sharers.setdefault(written.value, set()).add(written)
        return {value: sorted(parts) for value, parts in sharers.items()}

    def place(self, inputs: Mapping[Value, Mapping[int, Array | Piece]]) -> None:
        """Put inputs into the memories of chips: whole values, or pieces of them."""
        for value, by_chip in inputs.items():
            for chip, given in by_chip.items():
                piece = given
                if not isinstance(piece, Piece):
                    piece = Piece(0, piece.shape[-1], 1, piece, 0)
                if value in self._numbers:
                    self._memory(chip).write(self._numbers[value], piece)

    def keep(self, pieces: Mapping[Value, Mapping[int, Sequence[Piece]]]) -> None:
        """Put pieces that an earlier program left into the memories of chips."""
        for value, by_chip in pieces.items():
            for chip, held in by_chip.items():
                for piece in held if value in self._numbers else ():
                    own = piece._replace(since=0)
                    self._memory(chip).write(self._numbers[value], own)

    def _memory(self, chip: int) -> ChipMemory:
        return self.memories.setdefault(chip, ChipMemory())

    def step(self, event: Event) -> None:
        """Execute an operation, or deliver a message.

        Raises
        ------
        VerificationError
            If it reads a region that is not in the chip's memory at its cycle.
        """
        if event.is_message:
            self._deliver(event)
        else:
            self._operate(event)

    def _deliver(self, event: Event) -> None:
        """Copy the regions of a message to its target."""
        messages, number = self._dataflow.messages, event.number
        source = int(messages.source[number])
        target = self._memory(int(messages.target[number]))
        for region in array_regions(self._carried[number]):
            found = self._found(source, region, event.cycle)
            if isinstance(found, Absent):
                raise VerificationError(
                    f"the message of operator {messages.operator[number]} from chip "
                    f"{source} to chip {messages.target[number]} carries "
                    f"{self._dataflow.values[region.value].name}, but at cycle "
                    f"{event.cycle} chip {source} lacks {found}"
                )
            for pieces in found:
                if len(pieces) > 1:
                    raise VerificationError(
                        f"the message of operator {messages.operator[number]} from "
                        f"chip {source} to chip {messages.target[number]} carries one "
                        f"array of {self._dataflow.values[region.value].name}, and "
                        f"chip {source} has not added up its {len(pieces)} parts"
                    )
                target.write(region.value, pieces[0]._replace(since=event.end_cycle))

    def _found(self, chip: int, region: Region, cycle: int) -> Found:
        """Return the pieces of a region in a chip's memory at a cycle."""
        memory = self._memory(chip)
        whole = self._whole.get(region.value)
        if whole is None or memory.holds(region.value):
            return memory.find(region, cycle)
        found = memory.find(region._replace(value=whole), cycle)
        if isinstance(found, Absent):
            return found
        passed = self._passed(region.value)
        return [
            [piece._replace(array=_answered(piece.array, passed)) for piece in pieces]
            for pieces in found
        ]

    def _passed(self, value: int) -> Pass:
        return self._dataflow.passes[self._dataflow.values[value].number]

    def _operate(self, event: Event) -> None:
        """Execute an operation of a chip."""
        number, operations = event.number, self._dataflow.operations
        chip = int(operations.chip[number])
        name = self._dataflow.names[operations.name[number]]
        function = Function(int(operations.function[number]))
        writes = operand_regions(self._writes[number])
        answered = self._dataflow.values[writes[0].value].answered
        stored, cache, states = self._stored(number, name)
        reads = []
        for region in operand_regions(
            [each for each in self._reads[number] if not self._stays(each.value)]
        ):
            value = self._dataflow.values[region.value]
            # An instruction reads what those chained before it in it make.
            found = self._found(chip, region, self._reading_cycle(event))
            if isinstance(found, Absent):
                raise VerificationError(
                    f"{name} on chip {chip} (operator {operations.operator[number]}) "
                    f"reads {value.name}, but at cycle {event.cycle} it lacks {found}"
                )
            array = joined(found, join_attended if _attended(value) else np.add)
            if answered and not value.answered:
                array = _answered(array, self._passed(region.value))
            reads.append(_operand(value, region, array))
        values = [self._dataflow.values[each.value] for each in writes]
        settings = self._settings.get(name, _DEFAULT)
        table = FUNCTIONS if settings.latent is None else LATENT_FUNCTIONS
        results = table[function](
            Call(
                chip=chip,
                name=name,
                settings=settings,
                passed=self._dataflow.passes[operations.number[number]],
                weights=stored,
                reads=tuple(reads),
                writes=tuple(
                    _operand(value, region, _NO_NUMBERS)
                    for value, region in zip(values, writes, strict=True)
                ),
                members=self._members(function, number),
                caches=self._caches,
                cache=cache,
                states=states,
            )
        )
        memory = self._memory(chip)
        # What is added up is in the place of what it was before.
        write = memory.replace if function is Function.PARTIAL_SUM else memory.write
        for region, array in zip(writes, results, strict=True):
            write(
                region.value,
                Piece(region.first, region.last, region.parts, array, event.end_cycle),
            )

    def _reading_cycle(self, event: Event) -> int:
        """Return the cycle until which operands of an operation may come.

        An operation that is chained behind another reads what that one makes.
        """
        operations, number = self._dataflow.operations, event.number
        chained = (
            number > 0
            and operations.operator[number - 1] == operations.operator[number]
            and operations.chip[number - 1] == operations.chip[number]
        )
        return event.end_cycle if chained else event.cycle

    def _stays(self, value: int) -> bool:
        """Return whether a value is a weight or a KV cache."""
        return self._dataflow.values[value].number < 0

    def _stored(
        self, number: int, name: str
    ) -> tuple[tuple[Operand, ...], str | None, tuple[str, ...]]:
        """Return the weights that an operation reads, its KV cache and its states."""
        weights, cache, states = [], None, []
        for each in self._reads[number]:
            value = self._dataflow.values[each.value]
            if value.name.endswith(_CACHE) and value.name not in self._weights:
                cache = value.name
            elif value.name.endswith(_STATE):
                states.append(value.name)
            elif value.number < 0:
                if value.name not in self._weights:
                    raise SpecError(f"{name} reads {value.name}, which is not given")
                array = self._weights[value.name][each.first : each.last]
                if array.ndim > 1:
                    array = array[:, each.part_first : each.part_last]
                weights.append(Operand(value.name, *each[1:5], array))
        return tuple(weights), cache, tuple(states)

    def _members(self, function: Function, number: int) -> int:
        """Return the chips that share the context of an operation's heads."""
        if function not in _ATTENTION:
            return 1
        if function is Function.ATTEND:
            (scored,) = (
                each for each in self._reads[number] if each.value in self._sharers
            )
        else:
            (scored,) = self._writes[number]
        return max(
            each.part_last
            for each in self._sharers[scored.value]
            if each.first < scored.last and scored.first < each.last
        )


def _operand(value: Value, region: Region, array: Array) -> Operand:
    """Return the operand of a region that was read, or is to be written."""
    low = (region.parts & -region.parts).bit_length() - 1
    span = (low, region.parts.bit_length())
    return Operand(value.name, region.first, region.last, *span, array)


def _attended(value: Value) -> bool:
    """Return whether the parts of a value are joined by their softmax sums."""
    return value.name.endswith(_ATTENDED)


def _answered(array: Array, passed: Pass) -> Array:
    """Return the answered rows of each sequence."""
    rows = array.reshape(passed.batch, passed.query_tokens, array.shape[-1])
    return rows[:, -passed.answer_tokens :].reshape(-1, array.shape[-1])
