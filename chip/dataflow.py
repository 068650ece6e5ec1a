"""Dataflow of a program: the values that its instructions read, make and send.

A value is a named matrix of one iteration: its rows are tokens, its columns are
features. A region of a value is a range of columns, and a range of its parts. Parts
are the terms of a sum that is not complete yet, numbered by the columns that were
multiplied: a product of columns 0 to 99 out of 400 makes parts 0 to 99. A region of a
weight matrix is a range of its rows and, as parts, a range of its columns.

The compiler states for each instruction which regions it reads and makes, as a real
instruction states addresses; `fabric.functional_engine` executes these statements with
numbers, and `compiler.verify` proves that they compute the graph.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from specs.short_repr import short_repr


class Function(IntEnum):
    """Function of an operation: what it computes from the regions that it reads."""

    # Rows of a table at the positions that tokens choose.
    LOOKUP = 0
    # A sum of tables' rows.
    ADD_TABLES = 1
    # The input times the norm's weights, and the sums that the norm's factor needs.
    NORM_WEIGH = 2
    # The weighed input times the norm's factor.
    NORM_SCALE = 3
    # A matrix product with the transposed weights.
    PRODUCT = 4
    BIAS = 5
    # The queries and keys of heads times weights, and the sums of their squares.
    HEAD_NORM = 6
    # Rotary position embedding of queries and keys; new ones enter the KV cache.
    POSITION = 7
    HEAD_SCALE = 8
    SCORES = 9
    SOFTMAX = 10
    ATTEND = 11
    # Outputs of attention over parts of the context, joined by their softmax sums.
    COMBINE = 12
    # The sum of all parts of a value, with the residual and a bias.
    ADD = 13
    # A normalised sum added to the residual.
    NORM_ADD = 14
    ROUTER = 15
    CHOOSE = 16
    ACTIVATE = 17
    # The largest logit of a range and its number; and the largest of all ranges.
    CANDIDATE = 18
    SAMPLE = 19
    # The sum of all parts of a value, times a norm's factor.
    SUM_SCALE = 20
    # Parts of a value that become one array, in the place of the arrays they were.
    PARTIAL_SUM = 21
    # Of graphs of files: a product with weights whose rows are inputs; products of
    # matrices in pairs; the sum of all parts of a product; a vector operator of any
    # function; rows of tables at computed numbers. Elements of their values are counted
    # as `chip.element_numbering` says.
    MATRIX_PRODUCT = 22
    PAIRED_PRODUCT = 23
    TOTAL = 24
    VECTOR = 25
    LOOKUP_ROWS = 26
    # Of latent attention: latents times the factor and the weights of their norms.
    LATENT_NORM = 27
    # Queries of heads, times the weights that would make keys of a latent: with them
    # heads attend to latents instead of to keys.
    ABSORB = 28
    # Keys and values of heads, made of all latents that are attended to.
    EXPAND = 29
    # Latents that a head has mixed, times the weights that make values of them.
    EXPAND_VALUES = 30
    # What heads attend to, times the sigmoid of their gates.
    OUTPUT_GATE = 31
    # Of linear attention: queries, keys and values mixed with those of earlier tokens;
    # queries and keys of unit length; how much each head writes and keeps; the state
    # that a token updates and reads; what it read, normed by heads and gated.
    CONVOLVE = 32
    UNIT_NORM = 33
    DECAY = 34
    DELTA_RULE = 35
    GATED_NORM = 36


class Pass(NamedTuple):
    """Pass of a model: the positions that an iteration computes.

    Attributes
    ----------
    context_tokens
        Positions of each sequence after the pass, those of the KV cache included.
    query_tokens
        Positions that are computed, the last of the context.
    answer_tokens
        The last of these, whose next token is chosen.
    batch
        Sequences that are computed together.
    """

    context_tokens: int
    query_tokens: int
    answer_tokens: int
    batch: int


class Value(NamedTuple):
    """Value: a matrix by name, in one of the program's passes.

    Attributes
    ----------
    name
        Name, that of a tensor of the graph where it is one.
    number
        Row of `Dataflow.passes`; -1 for weights and the KV cache, which stay.
    answered
        Whether its rows are the answered positions alone. Of a value with rows for all
        positions of its pass, that of the same name is a part.
    """

    name: str
    number: int
    answered: bool = False


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Regions:
    """Regions of values, one row for each.

    Parameters
    ----------
    owner
        Row of the operation or message that the region belongs to, ascending, shape
        ``(regions,)`` as every column here.
    value
        Row of `Dataflow.values`.
    first, last
        Range of columns, end exclusive; of a weight matrix, of its rows.
    part_first, part_last
        Range of parts, end exclusive; of a weight matrix, of its columns.
    array
        Number of the array within its owner and value. A sum of several ranges of parts
        is one array.
    """

    owner: NDArray[np.int32]
    value: NDArray[np.int32]
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    part_first: NDArray[np.int32]
    part_last: NDArray[np.int32]
    array: NDArray[np.int32]

    __repr__ = short_repr

    def __len__(self) -> int:
        """Return the number of regions."""
        return len(self.owner)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operations:
    """Operations of the instructions, in order of operator, chip and execution.

    An instruction of several chained functions has an operation for each.

    Parameters
    ----------
    operator, chip
        `Instructions.operator` and the chip of the instruction, shape
        ``(operations,)`` as every column here.
    name
        Row of `Dataflow.names`: the operator of the graph that it is a part of.
    number
        Row of `Dataflow.passes`.
    function
        A `Function`.
    """

    operator: NDArray[np.int32]
    chip: NDArray[np.int32]
    name: NDArray[np.int32]
    number: NDArray[np.int32]
    function: NDArray[np.int8]

    __repr__ = short_repr

    def __len__(self) -> int:
        """Return the number of operations."""
        return len(self.operator)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Messages:
    """Messages: what a chip sends to another, over one or more paths at once.

    Parameters
    ----------
    operator
        `Instructions.operator` of its sends, shape ``(messages,)`` as every column
        here.
    source, target
        Chips at both ends.
    payload_bytes
        Bytes of all regions that it carries.
    """

    operator: NDArray[np.int32]
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    payload_bytes: NDArray[np.int64]

    __repr__ = short_repr

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.operator)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dataflow:
    """Dataflow of a program: its values, and who reads, makes and sends them.

    Parameters
    ----------
    values
        Values by number.
    names
        Names of the graph's operators by number.
    passes
        Passes of the model by number.
    operations
        Operations of the instructions.
    reads, writes
        Regions that each operation reads and makes.
    messages
        Messages between chips.
    carried
        Regions that each message carries.
    train_message
        Message that each train carries a share of, shape ``(trains,)``.
    """

    values: tuple[Value, ...]
    names: tuple[str, ...]
    passes: tuple[Pass, ...]
    operations: Operations
    reads: Regions
    writes: Regions
    messages: Messages
    carried: Regions
    train_message: NDArray[np.int32]

    __repr__ = short_repr
