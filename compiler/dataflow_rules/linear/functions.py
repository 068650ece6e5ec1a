"""Linear attention rules: convolution, unit norms, decay, delta rule and gated norm.

For `compiler.verify`; independent of the code that makes programs.

An operation that reads a state replaces it. That it does so once for each token, and in
order, are rules of their own.
"""

from collections.abc import Callable

from chip.dataflow import Function
from compiler.dataflow_rules.regions import Edges, Flags
from compiler.dataflow_rules.statements import Statements, beside
from specs.arrays import Ints
from specs.linear_attention import LinearAttention
from workloads.attributes import LinearAttributes
from workloads.operators import Function as GraphFunction

_KINDS = ("query", "key", "value")
_OTHER_COLUMNS = "makes other columns than it reads"


def linear_sizes(statements: Statements) -> LinearAttention | None:
    """Return, for dataflow rules, the sizes of linear attention; None without it.

    They are the same in all layers that have it.
    """
    for operator in statements.graph.values():
        if operator.function is GraphFunction.DELTA_RULE:
            return operator.attributes_as(LinearAttributes).linear
    return None


def _sizes(statements: Statements) -> LinearAttention:
    sizes = linear_sizes(statements)
    assert sizes is not None
    return sizes


def _same(read: Edges, made: Edges) -> Flags:
    """Return whether regions are complete and of the same columns."""
    same: Flags = read.whole & made.whole & read.columns_of(made)
    return same


def _of_heads(edges: Edges, heads: Edges, size: int, sharing: int = 1) -> Flags:
    """Return whether complete regions have `size` columns for each of some heads.

    Parameters
    ----------
    edges, size
        The regions.
    heads, sharing
        Regions whose columns are heads, of which so many share one of the others.
    """
    first, last = heads.first * size, heads.last * size
    of_heads: Flags = (
        edges.whole & (edges.first * sharing == first) & (edges.last * sharing == last)
    )
    return of_heads


def _gate_output(statements: Statements, operations: Ints) -> int:
    """Check what heads attend to, times the gates of the same columns."""
    made = statements.written(operations, statements.output())
    for place in range(2):
        read = statements.read(operations, statements.input(place))
        statements.must(_same(read, made), operations, _OTHER_COLUMNS)
    return len(operations)


def _convolve(statements: Statements, operations: Ints) -> int:
    """Check each channel with its own weights, and its own inputs of earlier tokens."""
    kernel = _sizes(statements).kernel
    for place, kind in enumerate(_KINDS):
        source = statements.read(operations, statements.input(place))
        made = statements.written(operations, statements.output(place))
        weights = statements.read(operations, beside(f"{kind}_kernel.weight"))
        state = statements.read(operations, beside(f"{kind}_state"))
        statements.must(_same(source, made), operations, _OTHER_COLUMNS)
        statements.must(
            weights.columns_of(made)
            & (weights.part_first == 0)
            & (weights.part_last == kernel),
            operations,
            "convolves with other weights than those of its channels",
        )
        statements.must(
            _same(state, made),
            operations,
            f"does not read the {kind}_state of its channels, and no others",
        )
    return len(operations)


def _norm_units(statements: Statements, operations: Ints) -> int:
    """Check queries and keys of whole heads."""
    size = _sizes(statements).key_dim
    for place in range(2):
        read = statements.read(operations, statements.input(place))
        made = statements.written(operations, statements.output(place))
        statements.must(_same(read, made), operations, _OTHER_COLUMNS)
        statements.must(
            (made.first % size == 0) & (made.last % size == 0),
            operations,
            "norms parts of a head",
        )
    return len(operations)


def _decay(statements: Statements, operations: Ints) -> int:
    """Check the numbers of each value head, with its own rate and bias."""
    for place in range(2):
        made = statements.written(operations, statements.output(place))
        read = statements.read(operations, statements.input(place))
        statements.must(_same(read, made), operations, _OTHER_COLUMNS)
        vector = statements.read(operations, statements.input(2 + place))
        statements.must(
            vector.whole & vector.columns_of(made),
            operations,
            "takes the rate or the bias of other heads",
        )
    return len(operations)


def _update(statements: Statements, operations: Ints) -> int:
    """Check whole value heads with the keys that they share, and their own states."""
    sizes = _sizes(statements)
    queries, keys, values, written, kept, state = (
        statements.read(operations, statements.input(place)) for place in range(6)
    )
    made = statements.written(operations, statements.output())
    heads = kept
    statements.must(
        _same(written, kept)
        & _of_heads(values, heads, sizes.value_dim)
        & _of_heads(made, heads, sizes.value_dim)
        & _of_heads(queries, heads, sizes.key_dim, sizes.sharing)
        & _of_heads(keys, heads, sizes.key_dim, sizes.sharing),
        operations,
        "updates heads by queries, keys or values of others, or parts of a head",
    )
    return statements.must(
        _same(state, made),
        operations,
        "does not read the delta_state of its heads, and no others",
    )


def _gate_normed(statements: Statements, operations: Ints) -> int:
    """Check norms of whole value heads, with all weights, and their gates."""
    size = _sizes(statements).value_dim
    made = statements.written(operations, statements.output())
    for place in range(2):
        read = statements.read(operations, statements.input(place))
        statements.must(_same(read, made), operations, _OTHER_COLUMNS)
    weights = statements.read(operations, statements.input(2))
    return statements.must(
        weights.whole
        & (weights.first == 0)
        & (weights.last == size)
        & (made.first % size == 0)
        & (made.last % size == 0),
        operations,
        "norms parts of a head, or lacks weights of the norm",
    )


LINEAR_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.OUTPUT_GATE: _gate_output,
    Function.CONVOLVE: _convolve,
    Function.UNIT_NORM: _norm_units,
    Function.DECAY: _decay,
    Function.DELTA_RULE: _update,
    Function.GATED_NORM: _gate_normed,
}
