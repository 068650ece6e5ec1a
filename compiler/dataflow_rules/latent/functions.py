"""Latent attention rules: latents, and what heads make of them, in either form.

For `compiler.verify`; independent of the code that makes programs.

The graph has scores and values of keys and values that are products of the latents. By
the law of associativity heads may as well attend to the latents themselves: then
queries are *absorbed* first, and the *latent context* is multiplied last.
"""

from collections.abc import Callable

from chip.dataflow import Function
from compiler.dataflow_rules.regions import Edges, Flags
from compiler.dataflow_rules.statements import Statements, beside
from specs.arrays import Ints
from specs.latent_attention import LatentAttention
from workloads.attributes import AttentionAttributes
from workloads.operators import Function as GraphFunction

_OTHER_HEADS = "takes other heads than it makes, or parts of a head"


def latent_sizes(statements: Statements) -> LatentAttention | None:
    """Return, for dataflow rules, the sizes of latent attention; None without it.

    They are the same in all layers.
    """
    for operator in statements.graph.values():
        if operator.function is GraphFunction.SCORES:
            return operator.attributes_as(AttentionAttributes).latent
    return None


def _sizes(statements: Statements) -> LatentAttention:
    sizes = latent_sizes(statements)
    assert sizes is not None
    return sizes


def _of_heads(edges: Edges, heads: Edges, size: int) -> Flags:
    """Return whether regions are complete and of all columns of the same heads.

    Parameters
    ----------
    edges, size
        The regions, with `size` columns for each head.
    heads
        Regions whose columns are heads.
    """
    same = (edges.first == heads.first * size) & (edges.last == heads.last * size)
    of_heads: Flags = edges.whole & same
    return of_heads


def _heads_of(made: Edges, size: int) -> Edges:
    """Return regions of `size` columns for each head as regions of heads."""
    return made._replace(first=made.first // size, last=made.last // size)


def _norm(statements: Statements, operations: Ints) -> int:
    """Check norms of whole latents, each with all of its weights."""
    count = statements.most_inputs(operations) // 2
    for place in range(count):
        source = statements.read(operations, statements.input(place))
        weights = statements.read(operations, statements.input(count + place))
        made = statements.written(operations, statements.output(place))
        columns = statements.columns(operations, statements.input(place))
        statements.must(
            source.whole
            & (source.first == 0)
            & (source.last == columns)
            & made.whole
            & source.columns_of(made),
            operations,
            "norms a latent before all of it is there",
        )
        normed = statements.columns(operations, statements.input(count + place))
        statements.must(
            weights.whole & (weights.first == 0) & (weights.last == normed),
            operations,
            "lacks the weights of a latent's norm",
        )
    return len(operations)


def _position(statements: Statements, operations: Ints) -> int:
    """Check rotated queries of whole heads, and the rotated key of each latent."""
    sizes = _sizes(statements)
    query, latent = (
        statements.read(operations, statements.input(place)) for place in (0, 1)
    )
    queries, placed = (
        statements.written(operations, statements.output(place)) for place in (0, 1)
    )
    statements.must(
        query.columns_of(queries)
        & query.whole
        & _of_heads(queries, _heads_of(queries, sizes.head_dim), sizes.head_dim),
        operations,
        "rotates other columns than it makes, or parts of a head",
    )
    return statements.must(
        latent.whole & latent.columns_of(placed) & _is_latent(placed, sizes),
        operations,
        "rotates the key of a part of a latent",
    )


def _is_latent(edges: Edges, sizes: LatentAttention) -> Flags:
    """Return whether regions are of whole latents, with the key that is rotated."""
    whole: Flags = edges.whole & (edges.first == 0) & (edges.last == sizes.cached_size)
    return whole


def _check_latents(statements: Statements, operations: Ints) -> None:
    """Refuse to attend to anything but all new latents and all cached ones."""
    sizes = _sizes(statements)
    for name in ("latent", "latent_cache"):
        statements.must(
            _is_latent(statements.read(operations, beside(name)), sizes),
            operations,
            f"does not read every column of the {name}, which all heads share",
        )


def _check_weights(statements: Statements, operations: Ints, heads: Edges) -> None:
    """Refuse weights that are not those from latents to the heads that are made."""
    sizes = _sizes(statements)
    weights = statements.read(operations, beside("key_value_up.weight"))
    size = sizes.expanded_dim
    statements.must(
        (weights.first == heads.first * size)
        & (weights.last == heads.last * size)
        & (weights.part_first == 0)
        & (weights.part_last == sizes.kv_rank),
        operations,
        "multiplies other weights than those of its heads",
    )


def _absorb(statements: Statements, operations: Ints) -> int:
    """Check queries times the weights that make keys."""
    sizes = _sizes(statements)
    made = statements.written(operations, beside("absorbed"))
    heads = _heads_of(made, sizes.cached_size)
    queries = statements.read(operations, beside("queries"))
    _check_weights(statements, operations, heads)
    return statements.must(
        _of_heads(made, heads, sizes.cached_size)
        & _of_heads(queries, heads, sizes.head_dim),
        operations,
        _OTHER_HEADS,
    )


def _expand(statements: Statements, operations: Ints) -> int:
    """Check keys and values of all positions, made of their latents."""
    sizes = _sizes(statements)
    made = statements.written(operations, beside("expanded"))
    heads = _heads_of(made, sizes.expanded_dim)
    _check_latents(statements, operations)
    _check_weights(statements, operations, heads)
    return statements.must(
        _of_heads(made, heads, sizes.expanded_dim), operations, _OTHER_HEADS
    )


def _score(statements: Statements, operations: Ints) -> int:
    """Check scores of absorbed queries with latents, or of queries with keys."""
    sizes = _sizes(statements)
    absorbed = statements.read(operations, beside("absorbed"))
    queries = statements.read(operations, beside("queries"))
    keys = statements.read(operations, beside("expanded"))
    made = statements.written(operations, statements.output())
    statements.must(
        (absorbed.found ^ queries.found) & (keys.found == queries.found),
        operations,
        "scores no queries, or queries against keys of the other form",
    )
    # The rotated part of each key is beside the latent in both forms.
    _check_latents(statements, operations)
    statements.must(made.whole, operations, "attends to a part of the context")
    return statements.must(
        (absorbed.found & _of_heads(absorbed, made, sizes.cached_size))
        | _of_heads(queries, made, sizes.head_dim)
        & _of_heads(keys, made, sizes.expanded_dim),
        operations,
        "scores queries against the keys of other heads",
    )


def _attend(statements: Statements, operations: Ints) -> int:
    """Check latents, or values made of them, times the weights of their positions."""
    sizes = _sizes(statements)
    weights = statements.read(operations, statements.input(0))
    values = statements.read(operations, beside("expanded"))
    mixed = statements.written(operations, beside("latent_context"))
    context = statements.written(operations, statements.output())
    statements.must(
        (mixed.found ^ context.found) & (values.found == context.found),
        operations,
        "makes no context, or one of the other form",
    )
    _check_latents(statements, operations[mixed.found])
    return statements.must(
        weights.whole
        & (
            (mixed.found & _of_heads(mixed, weights, sizes.kv_rank))
            | _of_heads(context, weights, sizes.value_dim)
            & _of_heads(values, weights, sizes.expanded_dim)
        ),
        operations,
        "weighs the values of other heads",
    )


def _expand_values(statements: Statements, operations: Ints) -> int:
    """Check the latents that heads have mixed, times the weights of their values."""
    sizes = _sizes(statements)
    mixed = statements.read(operations, beside("latent_context"))
    heads = _heads_of(mixed, sizes.kv_rank)
    made = statements.written(operations, statements.output())
    _check_weights(statements, operations, heads)
    return statements.must(
        _of_heads(mixed, heads, sizes.kv_rank)
        & _of_heads(made, heads, sizes.value_dim),
        operations,
        _OTHER_HEADS,
    )


LATENT_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.LATENT_NORM: _norm,
    Function.POSITION: _position,
    Function.ABSORB: _absorb,
    Function.EXPAND: _expand,
    Function.SCORES: _score,
    Function.ATTEND: _attend,
    Function.EXPAND_VALUES: _expand_values,
}
