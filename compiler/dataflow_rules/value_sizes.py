"""Sizes of values: rows of each, and the bits of a region as it is sent.

For `compiler.verify`; independent of the code that makes programs.
"""

from typing import final

import numpy as np

from chip.dataflow import Pass, Regions, Value
from compiler.dataflow_rules.regions import begins_of_arrays
from compiler.dataflow_rules.statements import Statements, beside
from specs.arrays import Ints
from specs.machine_formats import FormatsSpec
from workloads.attributes import AttentionAttributes

# Sums that travel beside activations are in FP32, tokens are 32-bit integers.
_FP32_BITS = 32
_WIDE = ("squares", "sum_squares", "router_scores", "token", "tokens")
# A candidate is a logit and its number.
_CANDIDATES = "candidates"
# Keys and values that are made of all cached latents.
_EXPANDED = "expanded"
_FIRST_ROWS = ("first_weighed", "pooled", "projected")


@final
class ValueSizes:
    """Sizes of the values of a program.

    Parameters
    ----------
    statements
        The program's statements.
    formats
        Number formats of the machine.
    encoder
        Whether all positions of a sequence go through the head.
    """

    def __init__(
        self, statements: Statements, formats: FormatsSpec, *, encoder: bool
    ) -> None:
        self._encoder = encoder
        passes, values = statements.flow.passes, statements.flow.values
        kinds = [_kind(value.name) for value in values]
        self.rows = np.array(
            [
                self._rows_of(value, kind, passes)
                for value, kind in zip(values, kinds, strict=True)
            ],
            dtype=np.int64,
        )
        plain = formats.activations.bits
        self._bits = np.array(
            [
                _FP32_BITS * (1 + (kind == _CANDIDATES))
                if kind in _WIDE or kind == _CANDIDATES
                else plain
                for kind in kinds
            ],
            dtype=np.int64,
        )
        heads = [
            _heads_of(statements, value.name)
            if kind in ("query_squares", "key_squares", "attended")
            else (0, 0)
            for value, kind in zip(values, kinds, strict=True)
        ]
        self._head_dim, self._group = np.array(heads, dtype=np.int64).reshape(-1, 2).T
        self._summed = np.array([kind.endswith("_squares") for kind in kinds])
        self._summed &= self._head_dim > 0

    def _rows_of(self, value: Value, kind: str, passes: tuple[Pass, ...]) -> int:
        """Return the rows of a value, 0 for one that stays."""
        if value.number < 0:
            return 0
        own = passes[value.number]
        if kind in _FIRST_ROWS or (self._encoder and value.name == "head.input"):
            return own.batch
        if kind == _EXPANDED:
            return own.batch * own.context_tokens
        in_head = value.name.startswith("head.") and not self._encoder
        answered = value.answered or in_head
        return own.batch * (own.answer_tokens if answered else own.query_tokens)

    def carried_bits(self, regions: Regions) -> Ints:
        """Return the bits of regions as messages carry them, shape ``(regions,)``."""
        value = regions.value
        first, last = regions.first.astype(np.int64), regions.last.astype(np.int64)
        bits = (last - first) * self._bits[value]
        size = np.maximum(self._head_dim[value], 1)
        # The squares of a head are one sum, however many of its rows it covers.
        heads = -(-last // size) - first // size
        bits = np.where(self._summed[value], heads * _FP32_BITS, bits)
        # With a part of the context go the largest score and the sum of each head.
        bits += 2 * _FP32_BITS * self._group[value] * ~self._summed[value]
        # A sum of several ranges of parts is one array.
        return bits * self.rows[value] * begins_of_arrays(regions)


def attended_positions(
    one: Pass, window: int, members: int, *, encoder: bool
) -> tuple[int, int]:
    """Return a chip's positions in the cache, and scores of a head and sequence.

    For dataflow rules.

    Parameters
    ----------
    one
        The pass.
    window
        Positions that a query attends to at most, 0 without a limit.
    members
        Chips that share the context of a head.
    encoder
        Whether each position attends to all.
    """
    context, queries = one.context_tokens, one.query_tokens
    attended = min(context, window or context)
    if encoder:
        return -(-attended // members), context * -(-attended // members)
    cached = min(context, attended + queries - 1)
    first = context - queries + 1
    seen = np.minimum(np.arange(first, context + 1), attended)
    return -(-cached // members), int((-(-seen // members)).sum())


def _kind(name: str) -> str:
    """Return the last part of a value's name, without the place where a sum ends."""
    return name.rpartition(".")[2].partition("@")[0]


def _heads_of(statements: Statements, name: str) -> tuple[int, int]:
    """Return the head size and the query heads of a KV head in a value's layer."""
    scores = statements.graph[f"{name.rpartition('.')[0]}.scores"]
    attributes = scores.attributes_as(AttentionAttributes)
    return attributes.head_dim, attributes.heads // attributes.kv_heads


def looked_up_elements(statements: Statements, lookups: Ints, tokens: Ints) -> Ints:
    """Return the elements of tables that lookups read.

    Parameters
    ----------
    statements
        What the program states.
    lookups
        Operations.
    tokens
        Rows of each pass.
    """
    table = statements.read(lookups, statements.input(1))
    rows = tokens[statements.flow.operations.number[lookups]]
    added = statements.graph.get("embedding.tables")
    if added is not None:
        # With the rows of the first part go those of the other tables.
        later = statements.read(lookups, beside("output@")).found
        rows *= np.where(later, 1, len(added.inputs))
    return (table.part_last - table.part_first) * rows
