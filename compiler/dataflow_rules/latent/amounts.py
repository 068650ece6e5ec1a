"""Amounts of latent attention: the work that its operations take, in either form.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from chip.dataflow import Function, Pass
from compiler.dataflow_rules.latent.functions import latent_sizes
from compiler.dataflow_rules.regions import Flags
from compiler.dataflow_rules.statements import Statements, beside
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.latent_attention import LatentAttention

# Functions of latent attention whose work is a product.
LATENT_PRODUCTS = (
    Function.ABSORB,
    Function.EXPAND,
    Function.SCORES,
    Function.ATTEND,
    Function.EXPAND_VALUES,
)


class LatentAmounts(NamedTuple):
    """Amounts of some operations of latent attention, arrays of one number for each.

    Attributes
    ----------
    operations
        The operations.
    weights, rows
        Matrix elements, and the vectors that each matrix multiplies.
    tiles, known_tiles
        Tiles of the matrices; and those of latents that have no newest position.
    scored
        Scores that enter or leave, or elements of latents that are expanded.
    is_made
        Whether the matrices are made by the program, and neither stored nor cached.
    element_bits, scale_bytes
        Bits of an element of the matrices, and the least bytes of their scales.
    """

    operations: Ints
    weights: Ints
    rows: Ints
    tiles: Ints
    known_tiles: Ints
    scored: Ints
    is_made: Flags
    element_bits: Ints
    scale_bytes: Ints


def latent_amounts(
    statements: Statements, sizes: LatentAttention, rows: Ints, task: Task
) -> Iterator[LatentAmounts]:
    """Return the amounts of products and of the softmax, for rules of their work.

    Parameters
    ----------
    statements, sizes
        The program's statements, and the sizes of the latents.
    rows
        Rows of what each operation makes.
    task
        Model and machine, for formats and the side of a tile.
    """
    for function in (*LATENT_PRODUCTS, Function.SOFTMAX):
        yield _amounts(statements, sizes, function, rows=rows, task=task)


def _amounts(
    statements: Statements,
    sizes: LatentAttention,
    function: Function,
    *,
    rows: Ints,
    task: Task,
) -> LatentAmounts:
    """Return the amounts of all operations of a function."""
    own, side = statements.of(function), task.machine.chip.lanes
    passes = [statements.flow.passes[n] for n in _numbers(statements, own)]
    batch = np.array([one.batch for one in passes], dtype=np.int64)
    queries = np.array([one.query_tokens for one in passes], dtype=np.int64)
    context = np.array([one.context_tokens for one in passes], dtype=np.int64)
    heads, mixes = _heads(statements, own, function, sizes)

    def tiles(inner: Ints | int, columns: Ints | int) -> Ints:
        covered: Ints = -(-(inner + 0 * heads) // side) * -(-columns // side)
        return covered

    zero = 0 * heads
    pairs = np.array([_pairs(one) for one in passes], dtype=np.int64)
    made = zero > 0
    scored = heads * batch * pairs
    if function is Function.SOFTMAX:
        return LatentAmounts(
            own,
            zero,
            zero,
            zero,
            zero,
            scored,
            made,
            element_bits=zero,
            scale_bytes=zero,
        )
    if function in (Function.SCORES, Function.ATTEND):
        is_score = function is Function.SCORES
        of_latents = sizes.cached_size if is_score else sizes.kv_rank
        of_heads = sizes.head_dim if is_score else sizes.value_dim
        wide = np.where(mixes, of_latents, of_heads)
        # All heads of a chip multiply the same latents; each has keys of its own.
        matrices = batch * np.where(mixes, 1, heads)
        known = matrices * -(-wide // side) * ((context - queries) // side)
        return LatentAmounts(
            operations=own,
            weights=matrices * wide * context,
            rows=queries * np.where(mixes, heads, 1),
            tiles=matrices * tiles(wide, context),
            known_tiles=known * mixes,
            scored=scored,
            is_made=~mixes,
            # Latents are cached; keys and values are made by the program.
            element_bits=np.where(
                mixes, task.cached_format.bits, task.machine.formats.activations.bits
            ),
            scale_bytes=zero,
        )
    inner, columns = {
        Function.ABSORB: (sizes.plain_dim, sizes.kv_rank),
        Function.EXPAND: (sizes.kv_rank, sizes.expanded_dim),
        Function.EXPAND_VALUES: (sizes.kv_rank, sizes.value_dim),
    }[function]
    several, entering = heads * tiles(inner, columns), zero
    if function is Function.EXPAND:
        # The heads lie side by side, since all multiply the same latents.
        several = tiles(inner, heads * columns)
        entering = inner * rows[own]
    weights = heads * inner * columns
    stored = task.formats.attention
    bits = stored.element.bits + zero
    scales = np.floor(weights * (stored.bits - stored.element.bits) / 8)
    return LatentAmounts(
        operations=own,
        weights=weights,
        rows=rows[own],
        tiles=several,
        known_tiles=zero,
        scored=entering,
        is_made=made,
        element_bits=bits,
        scale_bytes=scales.astype(np.int64),
    )


def latent_elements(statements: Statements) -> tuple[tuple[Ints, Ints], ...]:
    """Return the elements of a row that norms and rotations take, for rules of work.

    The key behind a latent passes the norm as it is, and plain parts of queries and
    the latent itself pass the rotation.

    Returns
    -------
    tuple
        Operations, and the elements of each; empty without latent attention.
    """
    sizes = latent_sizes(statements)
    if sizes is None:
        return ()
    norms = statements.of(Function.LATENT_NORM)
    normed = statements.numbers(norms, lambda name: _normed(statements, name))
    rotations = statements.of(Function.POSITION)
    queries = statements.written(rotations, statements.output())
    heads = (queries.last - queries.first) // sizes.head_dim
    return (norms, normed), (rotations, (heads + 1) * sizes.rotary_dim)


def _normed(statements: Statements, name: str) -> int:
    """Return the elements of all norms of latents: one for each of their weights."""
    inputs = statements.graph[name].inputs
    weights = inputs[len(inputs) // 2 :]
    return sum(statements.tensors[each][1] for each in weights)


def _numbers(statements: Statements, operations: Ints) -> list[int]:
    """Return the pass of each operation."""
    numbers: list[int] = statements.flow.operations.number[operations].tolist()
    return numbers


def _pairs(one: Pass) -> int:
    """Return the pairs of a query and a position up to its own, of one sequence."""
    first = one.context_tokens - one.query_tokens + 1
    return (first + one.context_tokens) * one.query_tokens // 2


def _heads(
    statements: Statements, own: Ints, function: Function, sizes: LatentAttention
) -> tuple[Ints, Flags]:
    """Return the heads of each operation, and whether it attends to latents."""
    none = np.zeros(len(own), dtype=bool)
    if function in (Function.SCORES, Function.SOFTMAX):
        made = statements.written(own, statements.output())
        mixes = none
        if function is Function.SCORES:
            mixes = statements.read(own, beside("absorbed")).found
        return made.last - made.first, mixes
    if function is Function.ATTEND:
        weights = statements.read(own, statements.input(0))
        mixes = statements.written(own, beside("latent_context")).found
        return weights.last - weights.first, mixes
    name, size = {
        Function.ABSORB: ("absorbed", sizes.cached_size),
        Function.EXPAND: ("expanded", sizes.expanded_dim),
        Function.EXPAND_VALUES: ("context", sizes.value_dim),
    }[function]
    made = statements.written(own, beside(name))
    return (made.last - made.first) // size, none
