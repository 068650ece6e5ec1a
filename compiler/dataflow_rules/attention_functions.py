"""Attention rules: heads from their projections to the context that they attend to.

For `compiler.verify`; independent of the code that makes programs.

Chips that share a head have parts of its context: part m of M is the positions whose
number leaves the remainder m when divided by M.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.regions import Edges, Flags, either
from compiler.dataflow_rules.statements import Statements, beside
from specs.arrays import Ints
from workloads.attributes import AttentionAttributes, HeadNormAttributes

_KINDS = ("query", "key", "value")
# Queries, keys and values on their way, and what they are called before it.
_BIASED = tuple(f"biased_{kind}" for kind in _KINDS)
_READY = ("queries", "keys", "values")


def head_sizes(statements: Statements, operations: Ints) -> tuple[Ints, Ints, Ints]:
    """Return query heads, key/value heads and head size of each operation's layer."""

    def attributes(name: str) -> AttentionAttributes:
        scores = statements.graph[f"{name.rpartition('.')[0]}.scores"]
        return scores.attributes_as(AttentionAttributes)

    return (
        statements.numbers(operations, lambda n: attributes(n).heads),
        statements.numbers(operations, lambda n: attributes(n).kv_heads),
        statements.numbers(operations, lambda n: attributes(n).head_dim),
    )


def _aligned(edges: Edges, size: Ints) -> Flags:
    """Return whether regions are of whole heads."""
    aligned: Flags = (edges.first % size == 0) & (edges.last % size == 0)
    return aligned


def _bias(statements: Statements, operations: Ints) -> int:
    """Check queries, keys and values with their biases."""
    for kind, biased, ready in zip(_KINDS, _BIASED, _READY, strict=True):
        source = statements.read(operations, beside(kind))
        bias = statements.read(operations, beside(f"{kind}.bias"))
        later = statements.written(operations, beside(biased))
        done = statements.written(operations, beside(ready))
        made = either(later, done)
        # Where nothing is rotated, the bias is all that is added.
        rotated = statements.numbers(operations, lambda n: _is_rotated(statements, n))
        statements.must(
            done.found == (made.found & (rotated == 0)),
            operations,
            "leaves out the rotation",
        )
        # A chip of a KV-head group may have no rows of one of the three.
        statements.must(
            (source.found == made.found)
            & (bias.found == made.found)
            & (~made.found | source.columns_of(made) & bias.columns_of(made)),
            operations,
            "adds other biases than those of its columns",
        )
    return len(operations)


def _is_rotated(statements: Statements, name: str) -> bool:
    attributes = statements.graph[f"{name.rpartition('.')[0]}.position"].attributes
    return getattr(attributes, "rotary", None) is not None


def _is_normed(statements: Statements, kind: str, name: str) -> bool:
    normed = f"{name.rpartition('.')[0]}.head_norm" in statements.graph
    return normed and kind in _KINDS[:2]


def _has_norm_weights(statements: Statements, kind: str, name: str) -> bool:
    return f"{name.rpartition('.')[0]}.{kind}_norm.weight" in statements.tensors


def _is_whole(statements: Statements, name: str) -> bool:
    norm = statements.graph[f"{name.rpartition('.')[0]}.head_norm"]
    return norm.attributes_as(HeadNormAttributes).whole


def _is_biased(statements: Statements, name: str) -> bool:
    return f"{name.rpartition('.')[0]}.query.bias" in statements.tensors


def _weigh_heads(statements: Statements, operations: Ints) -> int:
    """Check queries and keys times their norm's weights, and the sums of squares."""
    biased = statements.numbers(operations, lambda n: _is_biased(statements, n)) == 1
    _, _, size = head_sizes(statements, operations)
    for kind in _KINDS[:2]:
        raw = statements.read(operations, beside(kind))
        with_bias = statements.read(operations, beside(f"biased_{kind}"))
        source = either(raw, with_bias)
        weights = statements.read(operations, beside(f"{kind}_norm.weight"))
        made = statements.written(operations, beside(f"{kind}_weighed"))
        squares = statements.written(operations, beside(f"{kind}_squares"))
        statements.must(
            with_bias.found == (source.found & biased),
            operations,
            "leaves out a bias",
        )
        statements.must(
            (source.found == made.found)
            & (~made.found | source.columns_of(made) & squares.columns_of(made)),
            operations,
            "weighs other rows than it makes",
        )
        weighted = statements.numbers(
            operations, partial(_has_norm_weights, statements, kind)
        )
        of_all = statements.numbers(operations, lambda n: _is_whole(statements, n))
        whole = (weights.first == 0) & (weights.last == size)
        right = np.where(of_all, weights.columns_of(made), whole)
        statements.must(
            ~made.found | (weighted == 0) | right,
            operations,
            "lacks the weights of the heads' norm",
        )
    return len(operations)


def _position(statements: Statements, operations: Ints) -> int:
    """Check rotated queries and keys of whole heads, and the values beside them."""
    _, _, size = head_sizes(statements, operations)
    biased = statements.numbers(operations, lambda n: _is_biased(statements, n)) == 1
    for place, kind in enumerate(_KINDS):
        weighed = statements.read(operations, beside(f"{kind}_weighed"))
        raw = statements.read(operations, beside(kind))
        with_bias = statements.read(operations, beside(f"biased_{kind}"))
        source = Edges(
            *(
                np.max(each, axis=0)
                for each in zip(weighed, raw, with_bias, strict=True)
            )
        )
        made = statements.written(operations, statements.output(place))
        normed = statements.numbers(operations, partial(_is_normed, statements, kind))
        statements.must(
            (weighed.found == (normed == 1))
            & (raw.found == ((normed == 0) & ~biased))
            & (with_bias.found == ((normed == 0) & biased)),
            operations,
            "leaves out a bias or a norm, or has it twice",
        )
        statements.must(
            source.columns_of(made) & _aligned(made, size),
            operations,
            "rotates other columns than it makes, or parts of a head",
        )
    return len(operations)


def _scale_heads(statements: Statements, operations: Ints) -> int:
    """Check rotated queries and keys, times the factors of their heads."""
    _, _, size = head_sizes(statements, operations)
    for place, kind in enumerate(_KINDS[:2]):
        source = statements.read(operations, statements.input(place))
        squares = statements.read(operations, beside(f"{kind}_squares"))
        made = statements.written(operations, statements.output(place))
        # A norm of all heads together needs the squares of all their rows.
        of_all = statements.numbers(operations, lambda n: _is_whole(statements, n))
        count = statements.columns(operations, beside(kind))
        whole = (squares.first == 0) & (squares.last == count)
        needed = np.where(of_all, whole, squares.columns_of(made))
        statements.must(
            source.columns_of(made) & needed & _aligned(made, size),
            operations,
            "takes the factor of a head before the squares of all its rows are there",
        )
    return len(operations)


def _score(statements: Statements, operations: Ints) -> int:
    """Check scores of whole heads against a part of the context."""
    heads, kv_heads, size = head_sizes(statements, operations)
    queries = statements.read(operations, beside("queries"))
    keys = statements.read(operations, beside("keys"))
    made = statements.written(operations, statements.output())
    _check_cache(statements, operations, "key_cache", keys, made)
    group = heads // kv_heads
    return statements.must(
        (queries.first == made.first * size)
        & (queries.last == made.last * size)
        & (keys.first * group == queries.first)
        & (keys.last * group == queries.last)
        & _aligned(keys, size),
        operations,
        "scores queries against the keys of other heads",
    )


def _check_cache(
    statements: Statements, operations: Ints, name: str, new: Edges, made: Edges
) -> None:
    """Refuse attention that leaves out the cache, or reads that of other heads."""
    cached = statements.numbers(
        operations, lambda n: f"{n.rpartition('.')[0]}.{name}" in statements.tensors
    )
    cache = statements.read(operations, beside(name))
    statements.must(
        (cache.found == (cached == 1))
        & (
            ~cache.found
            | cache.columns_of(new)
            & (cache.part_first == made.part_first)
            & (cache.part_last == made.part_last)
        ),
        operations,
        f"reads other positions of the {name} than it attends to",
    )
    statements.must(
        (made.part_last == made.part_first + 1),
        operations,
        "attends to several parts of the context at once",
    )


def _softmax(statements: Statements, operations: Ints) -> int:
    """Check the softmax within each part of the context."""
    scores = statements.read(operations, statements.input(0))
    made = statements.written(operations, statements.output())
    if statements.most_inputs(operations) > 1:
        has = statements.has_input(operations, 1)
        own, here = operations[has], made.chosen(has)
        sinks = statements.read(own, statements.input(1))
        statements.must(
            np.where(here.part_first == 0, sinks.columns_of(here), ~sinks.found),
            own,
            "does not add the sinks of its heads to one part of the context",
        )
    return statements.must(
        scores.columns_of(made)
        & (scores.part_first == made.part_first)
        & (scores.part_last == made.part_last),
        operations,
        "normalises other scores than it makes weights of",
    )


def _attend(statements: Statements, operations: Ints) -> int:
    """Check values of a part of the context, times their weights."""
    heads, kv_heads, size = head_sizes(statements, operations)
    weights = statements.read(operations, statements.input(0))
    values = statements.read(operations, statements.input(1))
    context = statements.written(operations, statements.output())
    attended = statements.written(operations, beside("attended"))
    made = Edges(*(np.maximum(a, b) for a, b in zip(context, attended, strict=True)))
    statements.must(
        context.found ^ attended.found, operations, "makes no context, or two"
    )
    _check_cache(statements, operations, "value_cache", values, weights)
    group = heads // kv_heads
    statements.must(
        (made.first == weights.first * size)
        & (made.last == weights.last * size)
        & (values.first * group == made.first)
        & (values.last * group == made.last),
        operations,
        "weighs the values of other heads",
    )
    return statements.must(
        (made.part_first == weights.part_first) & (made.part_last == weights.part_last),
        operations,
        "states a context of other positions than it attends to",
    )


def _combine(statements: Statements, operations: Ints) -> int:
    """Check the context of all parts of each head."""
    parts = statements.read(operations, beside("attended"))
    made = statements.written(operations, statements.output())
    return statements.must(
        parts.columns_of(made) & made.whole & (parts.part_first == 0),
        operations,
        "joins other columns than it makes",
    )


ATTENTION_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.BIAS: _bias,
    Function.HEAD_NORM: _weigh_heads,
    Function.POSITION: _position,
    Function.HEAD_SCALE: _scale_heads,
    Function.SCORES: _score,
    Function.SOFTMAX: _softmax,
    Function.ATTEND: _attend,
    Function.COMBINE: _combine,
}
