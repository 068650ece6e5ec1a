"""Attention nodes of ONNX graphs, as two products in pairs and a softmax.

Query heads that share keys are rows of one product, so that keys and values are not
repeated.
"""

from collections.abc import Callable
from math import sqrt

import numpy as np

from specs.vector_functions import VectorFunction as V
from workloads.onnx_files.nodes.movement import concatenated
from workloads.onnx_files.nodes.node import Node, reshaped
from workloads.onnx_files.nodes.norms import softmax
from workloads.onnx_files.nodes.products import in_pairs
from workloads.onnx_files.nodes.reductions import LEAST
from workloads.onnx_files.values import Value

_HEADS_APART = 4
# Places of the operands of an attention node.
_MASK, _PAST_KEY, _PAST_VALUE, _LENGTHS = 3, 4, 5, 6


def _attention(node: Node) -> list[Value | None]:
    builder, of = node.builder, node.attributes
    if node.has(_LENGTHS):
        raise node.refuse("has lengths of sequences that are known only as it runs")
    if len(node.shapes) > 3 and node.shapes[3] is not None:  # noqa: PLR2004
        raise node.refuse("gives out its scores")
    queries, keys, values = (node.value(place) for place in range(3))
    together = len(queries.shape) < _HEADS_APART
    if together:
        queries = _apart(node, queries, of["q_num_heads"])
        keys = _apart(node, keys, of["kv_num_heads"])
        values = _apart(node, values, of["kv_num_heads"])
    past = 0
    if node.has(_PAST_KEY):
        past = node.value(_PAST_KEY).shape[2]
        keys = concatenated(node, [node.value(_PAST_KEY), keys], 2)
        values = concatenated(node, [node.value(_PAST_VALUE), values], 2)
    batch, heads, asked, depth = queries.shape
    groups, positions = keys.shape[1:3]
    shared = heads // groups
    # Queries of heads that share keys lie below each other.
    rows = reshaped(node, queries, (batch, groups, shared, asked, depth))
    rows = reshaped(node, rows, (batch, groups, shared * asked, depth))
    scores = in_pairs(node, rows, keys.transposed((0, 1, 3, 2)))
    scores = scores.of(scores.cells.reshape(batch, groups, shared, asked, positions))
    scale = builder.scalar(of.get("scale") or 1 / sqrt(depth))
    scores = builder.elementwise(V.MULTIPLY, scores, scale)
    cap = of.get("softcap", 0.0)
    added = _masked(node, scores, past)
    if cap:
        scores = builder.elementwise(V.DIVIDE, scores, builder.scalar(cap))
        scores = builder.elementwise(V.TANH, scores)
        scores = builder.elementwise(V.MULTIPLY, scores, builder.scalar(cap))
    for mask, chosen in added:
        if chosen:
            least = builder.scalar(LEAST)
            scores = builder.elementwise(V.SELECT, mask, scores, least)
        else:
            scores = builder.elementwise(V.ADD, scores, mask)
    shares = softmax(node, scores, -1)
    if any(chosen for _, chosen in added):
        # Of a row of which all is masked, nothing has a share.
        shares = _kept(node, shares, added)
    shares = reshaped(node, shares, (batch, groups, shared * asked, positions))
    made = in_pairs(node, shares, values)
    width = values.shape[-1]
    apart = made.of(made.cells.reshape(batch, groups, shared, asked, width))
    if together:
        apart = apart.transposed((0, 3, 1, 2, 4))
    return [reshaped(node, apart, node.shape), keys, values]


def _apart(node: Node, value: Value, heads: int) -> Value:
    """Return a value of shape (batch, rows, heads x depth) with its heads apart."""
    batch, rows, width = value.shape
    split = reshaped(node, value, (batch, rows, heads, width // heads))
    return split.transposed((0, 2, 1, 3))


def _kept(node: Node, shares: Value, masks: list[tuple[Value, bool]]) -> Value:
    """Return shares without those of what is masked, which a softmax leaves equal."""
    for mask, chosen in masks:
        shown = mask
        if not chosen:
            if not mask.constant:
                continue
            shown = node.builder.derived("shown", lambda a: a > LEAST, mask)
        shares = node.builder.elementwise(V.MULTIPLY, shares, shown)
    return shares


def _masked(node: Node, scores: Value, past: int) -> list[tuple[Value, bool]]:
    """Return the masks of scores, and whether each one says what is kept."""
    _, groups, shared, asked, positions = scores.shape
    masks = []
    if node.has(_MASK):
        mask = node.value(_MASK)
        if mask.shape[-1] not in (1, positions):
            raise node.refuse(
                f"has a mask of {mask.shape[-1]} of {positions} positions"
            )
        wide = (1,) * (_HEADS_APART - len(mask.shape)) + mask.shape
        samples, heads, *rest = wide
        own = (1, 1) if heads == 1 else (groups, shared)
        laid = reshaped(node, mask, (samples, *own, *rest))
        masks.append((laid, bool(node.attributes["boolean_mask"])))
    place = np.arange(past, past + asked)[:, None] - np.arange(positions)
    kept = np.ones_like(place, dtype=bool)
    if node.attributes.get("is_causal", 0):
        kept &= place >= 0
    if (left := node.attributes.get("left_window_size", -1)) >= 0:
        kept &= place <= left
    if (right := node.attributes.get("right_window_size", -1)) >= 0:
        kept &= -place <= right
    if not kept.all():
        hidden = np.where(kept, 0.0, LEAST)
        mask = node.builder.constant(f"{node.name}.mask", kept.shape, lambda: hidden)
        masks.append((mask, False))
    return masks


ATTENTION_NODES: dict[str, Callable[[Node], list[Value | None]]] = {
    "Attention": _attention
}
