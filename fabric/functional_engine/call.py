"""Call of a function: an operation of a chip with its operands as arrays."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

from chip.dataflow import Pass
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.memory import Array
from fabric.functional_engine.settings import OperatorSettings


class Operand(NamedTuple):
    """Operand of a call.

    Attributes
    ----------
    name
        Name of the value.
    first, last
        Range of columns, end exclusive; of a weight matrix, of rows.
    part_first, part_last
        Range that spans its parts; of a weight matrix, its columns.
    array
        Numbers; the columns are the last axis. None for a KV cache, and for a result.
    """

    name: str
    first: int
    last: int
    part_first: int
    part_last: int
    array: Array

    @property
    def parts(self) -> int:
        """Return the number of parts that the range spans."""
        return self.part_last - self.part_first

    @property
    def columns(self) -> int:
        """Return the number of columns."""
        return self.last - self.first


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Call of a function on a chip.

    Parameters
    ----------
    chip, name
        Chip, and the name of the graph's operator.
    settings
        Settings of the operator.
    passed
        Pass of the model.
    weights, reads
        Regions of weights, and of other values but KV caches.
    writes
        Regions of the results; their arrays are empty.
    members
        Chips that share the context of its heads.
    caches
        KV caches of all chips.
    cache
        Name of the KV cache that it reads, None if it reads none.
    states
        Names of the recurrent states that it reads and replaces.
    """

    chip: int
    name: str
    settings: OperatorSettings
    passed: Pass
    weights: tuple[Operand, ...]
    reads: tuple[Operand, ...]
    writes: tuple[Operand, ...]
    members: int
    caches: KeyValueCaches
    cache: str | None
    states: tuple[str, ...] = ()

    @property
    def first_position(self) -> int:
        """Return the position of the first row of each sequence, counted from 0."""
        return self.passed.context_tokens - self.passed.query_tokens

    def sequences(self, array: Array) -> Array:
        """Return rows by sequence, shape ``(batch, positions, columns)``."""
        return array.reshape(self.passed.batch, -1, array.shape[-1])

    def replace_state(
        self,
        name: str,
        columns: tuple[int, int],
        *,
        zero: Array,
        step: Callable[[Array], Array],
    ) -> None:
        """Replace a recurrent state of the chip by what the tokens of the pass make.

        Parameters
        ----------
        name, columns
            The state, and its range of columns.
        zero, step
            The state before the first token, and what makes the next one of a state.

        Raises
        ------
        VerificationError
            If the state is not that of the token before.
        """
        self.caches.states.replace(
            self.chip,
            name,
            columns,
            first_position=self.first_position,
            tokens=self.passed.query_tokens,
            zero=lambda: zero,
            step=step,
        )
