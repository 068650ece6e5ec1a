"""Head norms, rotation, scores and values, over a chip's part of the context.

Each function takes a call and returns the array of each result. Where several chips
share the context of a head, weights of positions are not divided by their sum: the
attended values, the largest score and the sum travel together, as an array of shape
``(3, rows, columns)``.
"""

import numpy as np

from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.memory import Array
from specs.arrays import Ints


def head_weighed(call: Call) -> list[Array]:
    """Execute: queries and keys times weights, and sums of squares.

    The sum of squares of a chip's columns of a head is in the first of these columns;
    the others are zero.
    """
    size = call.settings.head_dim
    products, squares = [], []
    weights = [each.array for each in call.weights]
    for place, rows in enumerate(call.reads):
        columns = np.arange(rows.first, rows.last)
        factors = rows.array.dtype.type(1)
        if weights:
            whole, stored = call.settings.whole, weights[place]
            factors = stored if whole else stored[columns % size]
        if call.settings.unit_offset:
            factors = 1 + factors
        products.append(rows.array * factors)
        sums = np.zeros_like(rows.array)
        for head in np.unique(columns // size):
            own = np.flatnonzero(columns // size == head)
            part = rows.array[:, own]
            sums[:, own[0]] = np.sum(part * part, axis=1)
        squares.append(sums)
    return products + squares


def head_scaled(call: Call) -> list[Array]:
    """Execute: queries and keys over the root mean square of each head, or of all."""
    size, epsilon = call.settings.head_dim, call.settings.epsilon
    results = []
    for rows, squares in zip(call.reads[:2], call.reads[2:], strict=True):
        heads, counted = squares.array[:, None], squares.columns
        if not call.settings.whole:
            heads, counted = _heads(squares.array, size), size
        sums = heads.sum(axis=2, keepdims=True)
        factor = np.asarray(1 / np.sqrt(sums / sums.dtype.type(counted) + epsilon))
        results.append((_heads(rows.array, size) * factor).reshape(rows.array.shape))
    return results


def positioned(call: Call) -> list[Array]:
    """Execute: queries and keys rotated by their positions, and the values."""
    query, key, value = call.reads
    queries = _rotated(call, query.array)
    if call.settings.query_growth:
        numbers = call.first_position + np.arange(call.passed.query_tokens) + 1
        grown = np.log1p(np.floor(numbers / call.settings.growth_positions))
        factors = 1 + call.settings.query_growth * grown
        rows = np.tile(factors, call.passed.batch)[:, None]
        queries = queries * rows.astype(queries.dtype)
    return [queries, _rotated(call, key.array), value.array]


def _rotated(call: Call, rows: Array) -> Array:
    """Return rows of whole heads with their leading pairs rotated."""
    return turned(call, _heads(rows, call.settings.head_dim)).reshape(rows.shape)


def turned(call: Call, heads: Array) -> Array:
    """Execute: heads, shape (rows, heads, columns), with their leading pairs rotated.

    Pairs are neighbours, or as far apart as there are pairs.
    """
    pairs = len(call.settings.frequencies)
    positions = call.first_position + np.arange(call.passed.query_tokens)
    angles = np.tile(
        np.outer(positions, call.settings.frequencies), (call.passed.batch, 1)
    )
    factor = call.settings.rotated_factor
    cosine = (factor * np.cos(angles)).astype(heads.dtype)[:, None]
    sine = (factor * np.sin(angles)).astype(heads.dtype)[:, None]
    first, second = slice(0, pairs), slice(pairs, 2 * pairs)
    if call.settings.interleaved:
        first, second = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
    left, right = heads[..., first], heads[..., second]
    rows = heads.copy()
    rows[..., first] = left * cosine - right * sine
    rows[..., second] = right * cosine + left * sine
    return rows


def scores(call: Call) -> list[Array]:
    """Execute: the scores of the chip's part of the context, shape (rows, heads, ...).

    The array is of shape ``(batch, queries, positions, heads)``; scores that the mask
    leaves out are minus infinity.
    """
    query, key = call.reads
    size = call.settings.head_dim
    positions, known = _context(call, key)
    heads, kv_heads = query.columns // size, key.columns // size
    asked = call.sequences(query.array)
    batch, queries, _ = asked.shape
    asked = asked.reshape(batch, queries, kv_heads, heads // kv_heads, size)
    by_head = known.reshape(batch, len(positions), kv_heads, size)
    found = np.einsum("bqkgd,bpkd->bqpkg", asked, by_head)
    products = found.reshape(batch, queries, len(positions), heads)
    return [masked(call, products, positions, first_head=query.first // size)]


def masked(call: Call, found: Array, positions: Ints, *, first_head: int = 0) -> Array:
    """Execute: products of queries and keys as scores; those that are masked are -inf.

    Parameters
    ----------
    call
        Scale, cap and mask.
    found, positions
        Products, shape (batch, queries, positions, heads), and their positions.
    first_head
        Number of the first of these query heads.
    """
    settings, queries = call.settings, found.shape[1]
    found = found * found.dtype.type(settings.scale)
    if settings.soft_cap is not None:
        cap = found.dtype.type(settings.soft_cap)
        found = np.asarray(np.tanh(found / cap) * cap)
    distance = (call.first_position + np.arange(queries))[:, None] - positions
    if settings.slopes:
        falls = np.array(settings.slopes)[first_head : first_head + found.shape[3]]
        found = found - (distance[:, :, None] * falls).astype(found.dtype)
    seen = np.ones(distance.shape, dtype=bool)
    if settings.causal:
        seen &= distance >= 0
    if settings.window is not None:
        seen &= distance < settings.window
        if settings.chunked:
            asking = call.first_position + np.arange(queries)
            chunk = positions // settings.window
            seen &= (asking // settings.window)[:, None] == chunk
    return np.where(seen[None, :, :, None], found, -np.inf).astype(found.dtype)


def _context(call: Call, new: Operand) -> tuple[Ints, Array]:
    """Return the chip's positions, and their keys or values.

    Returns
    -------
    NDArray
        Positions.
    NDArray
        Shape (batch, positions, columns).
    """
    fresh = call.sequences(new.array)
    member = call.writes[0].part_first if call.members > 1 else 0
    if call.cache is None:
        positions = np.arange(call.first_position, call.passed.context_tokens)
        own = positions % call.members == member
        return positions[own], fresh[:, own]
    cached = call.caches.extend(
        call.chip,
        call.cache,
        fresh,
        columns=(new.first, new.last),
        first_position=call.first_position,
        share=(member, call.members),
        window=call.settings.window,
    )
    return cached.positions, cached.array


def softmax(call: Call) -> list[Array]:
    """Execute: weights of positions, with the largest score and the sum of each row.

    The array is that of the scores with two more positions: the largest score, and the
    sum. A chip that has a head for itself divides by the sum at once.
    """
    (found,) = call.reads
    largest = found.array.max(axis=2, keepdims=True, initial=-np.inf)
    # A sink is a score of no position.
    sinks = [each.array.reshape(1, 1, 1, -1) for each in call.weights]
    for sink in sinks:
        largest = np.maximum(largest, sink)
    # Rows that attend to nothing here have no largest score.
    finite = np.where(np.isfinite(largest), largest, 0)
    raised = np.exp(found.array - finite)
    total = raised.sum(axis=2, keepdims=True)
    for sink in sinks:
        total = total + np.exp(sink - finite)
    if call.members == 1:
        raised = raised / total
    joined = np.concatenate([raised, largest, total], axis=2)
    return [joined.astype(found.array.dtype)]


def attended(call: Call) -> list[Array]:
    """Execute: the values of the chip's part of the context, by their weights."""
    weights, value = call.reads
    size = call.settings.head_dim
    positions, known = _context(call, value)
    batch, queries, _, heads = weights.array.shape
    kv_heads = value.columns // size
    by_head = known.reshape(batch, len(positions), kv_heads, size)
    shares = weights.array[:, :, :-2].reshape(
        batch, queries, len(positions), kv_heads, heads // kv_heads
    )
    found = np.einsum("bqpkg,bpkd->bqkgd", shares, by_head)
    rows = found.reshape(batch * queries, heads * size)
    if call.members == 1:
        return [rows]
    largest, total = (
        np.repeat(weights.array[:, :, place].reshape(len(rows), heads), size, axis=1)
        for place in (-2, -1)
    )
    return [np.stack([rows, largest, total])]


def join_attended(left: Array, right: Array) -> Array:
    """Execute: attended values of two parts of the context as those of both."""
    largest = np.maximum(left[1], right[1])
    finite = np.where(np.isfinite(largest), largest, 0)
    shares = [np.exp(each[1] - finite) for each in (left, right)]
    rows = left[0] * shares[0] + right[0] * shares[1]
    total = left[2] * shares[0] + right[2] * shares[1]
    return np.stack([rows, largest, total])


def combined(call: Call) -> list[Array]:
    """Execute: attended values of all parts of the context, divided by their sum."""
    (parts,) = call.reads
    return [parts.array[0] / parts.array[2]]


def _heads(rows: Array, size: int) -> Array:
    """Return rows as heads, shape (rows, heads, size)."""
    return rows.reshape(len(rows), -1, size)
