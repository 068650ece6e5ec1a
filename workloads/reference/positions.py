"""What the positions of a query and a key do to a score: masks, windows, distances."""

import numpy as np

from workloads.attributes import AttentionAttributes
from workloads.operators import TokenRows
from workloads.reference.activations import Array


def alibi_slopes(heads: int) -> Array:
    """Evaluate (reference): by how much scores of each head fall from one to the next.

    Of a power of two heads they are a geometric series that ends at 1/256; further
    heads have every second slope of twice as many [1]_.

    References
    ----------
    .. [1] O. Press, N. A. Smith, M. Lewis, "Train Short, Test Long: Attention with
       Linear Biases Enables Input Length Extrapolation", arXiv:2108.12409, section 3;
       the code published with it for other numbers of heads.
    """
    whole = 1 << (heads.bit_length() - 1)
    exponents = [8 * (n + 1) / whole for n in range(whole)]
    exponents += [4 * (2 * n + 1) / whole for n in range(heads - whole)]
    return np.asarray(np.exp2(-np.array(exponents)))


def fallen_scores(
    attributes: AttentionAttributes, positions: int, rows: TokenRows
) -> Array:
    """Evaluate (reference): by how much scores fall with the distance of a position.

    Parameters
    ----------
    attributes, positions, rows
        As `attended` takes them.

    Returns
    -------
    NDArray
        Shape (kv_heads, heads that share one, 1, query_tokens, positions).
    """
    query = np.arange(rows.first_position, rows.context)[:, None]
    key = np.arange(rows.context - positions, rows.context)[None, :]
    slopes = alibi_slopes(attributes.heads).reshape(attributes.kv_heads, -1, 1, 1, 1)
    return np.asarray(attributes.alibi * slopes * (query - key))


def attended(attributes: AttentionAttributes, positions: int, rows: TokenRows) -> Array:
    """Evaluate (reference): which positions each token of a sequence attends to.

    Parameters
    ----------
    attributes
        Mask and window.
    positions
        The last positions of the context, of which there are keys.
    rows
        Rows of the iteration.

    Returns
    -------
    NDArray
        Truth values, shape (query_tokens, positions).
    """
    query = np.arange(rows.first_position, rows.context)[:, None]
    key = np.arange(rows.context - positions, rows.context)[None, :]
    mask = np.ones((rows.query_tokens, positions), dtype=bool)
    if attributes.causal:
        mask &= key <= query
    if attributes.window is not None:
        mask &= query - key < attributes.window
        if attributes.chunked:
            mask &= query // attributes.window == key // attributes.window
    return mask
