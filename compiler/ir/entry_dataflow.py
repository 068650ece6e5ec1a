"""Dataflow of a timeline's entries: what an entry computes or carries, and for whom.

It is made when a program is emitted, because a search schedules many more tokens than
it emits. Names in it hold for any layer; the scope of an entry says for which.
"""

from collections.abc import Callable
from typing import NamedTuple

from chip.dataflow import Value
from compiler.ir.messages import MessageTable
from sharding.operators.operands import Operand, Operation
from specs.arrays import Ints
from workloads.operators import LAYER, LAYER_INPUT, RESIDUAL

# Values that stay from pass to pass.
_STAYING = (".weight", ".bias", "_cache", "_state")
_HEAD = "head."


class Scope(NamedTuple):
    """Scope of the names in an entry's dataflow.

    Attributes
    ----------
    layer
        Layer of the block.
    residual
        Name of the residual stream before the block.
    number
        Number of the pass.
    answers
        Whether only answered positions go through the head.
    received
        Whether the residual stream came from the stage before.
    layer_input
        Name of the residual stream before the block before.
    """

    layer: int
    residual: str
    number: int
    answers: bool
    received: bool = False
    layer_input: str = ""

    def value(self, name: str) -> Value:
        """Return the value that a name stands for."""
        answered = self.answers and (
            name.startswith(_HEAD) or (self.received and name == RESIDUAL)
        )
        name = name.replace(LAYER, str(self.layer)).replace(RESIDUAL, self.residual)
        name = name.replace(LAYER_INPUT, self.layer_input)
        stays = name.endswith(_STAYING)
        return Value(name, -1 if stays else self.number, answered and not stays)


class GraphScope(NamedTuple):
    """Scope of the names in the dataflow of a graph's entry, which has no layers.

    Attributes
    ----------
    staying
        Names of values that stay from iteration to iteration: weights.
    """

    staying: frozenset[str]

    @property
    def layer(self) -> int:
        """Return the number that stands for the layer in names: there are none."""
        return 0

    @property
    def number(self) -> int:
        """Return the number of the pass: the only one."""
        return 0

    def value(self, name: str) -> Value:
        """Return the value of a name."""
        return Value(name, -1 if name in self.staying else self.number)


class PhaseShare(NamedTuple):
    """Share of a phase that is sent in pieces, because it is too long for one.

    Attributes
    ----------
    messages
        All messages of the phase, with all their bytes; the same for each piece.
    rows
        The row of each of the entry's messages in them.
    """

    messages: MessageTable
    rows: Ints


class EntryDataflow(NamedTuple):
    """Dataflow of an entry.

    Attributes
    ----------
    scope
        Scope of its names.
    chips
        Chip of each member of the group, shape ``(width,)``.
    operations, carried
        Each returns what the entry computes, or what its messages carry; `member` of
        the latter is the row of the message.
    whole
        The phase of which the entry's messages are a share; None if they are all of it.
    """

    scope: Scope | GraphScope
    chips: Ints
    operations: Callable[[], tuple[Operation, ...]] | None = None
    carried: Callable[[], tuple[Operand, ...]] | None = None
    whole: PhaseShare | None = None
