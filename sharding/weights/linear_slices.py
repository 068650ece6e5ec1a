"""Weight slices of linear attention over the chips of a tensor group.

A chip has whole key heads with all value heads that share them, so that the matrices
are split by heads: those of queries, keys, values, gates, writes and decays by rows,
as the convolution is, and the one out of them by columns. The norm of value heads is on
every chip that has heads: the first holds the tensor, the others hold copies.
"""

from sharding.parallelism.ranges import TensorSlices, head_rows
from sharding.parallelism.tensor_group import Range
from sharding.weights.group_slices import GroupSlices, ProjectionRows
from specs.linear_attention import LinearAttention


def linear_slices(
    group: GroupSlices, linear: LinearAttention, layer: int
) -> list[TensorSlices]:
    """Return the slices of a layer's norms, projections and convolution.

    Parameters
    ----------
    group, linear, layer
        The model and its tensor group, the sizes of linear attention, and the layer.
    """
    names = group.names
    heads = group.split.heads(linear.key_heads, layer)

    def name(template: str) -> str:
        return template.format(layer=layer)

    keys = Range(*head_rows(heads, linear.key_dim))
    values = Range(*head_rows(heads, linear.sharing * linear.value_dim))
    value_heads = Range(*head_rows(heads, linear.sharing))
    convolution = f"{name(names.linear_convolution)}.weight"
    channels = [
        (0, keys),
        (linear.key_size, keys),
        (2 * linear.key_size, values),
    ]
    return [
        *group.norm(names.norm_before_attention(layer)),
        *group.by_rows(
            [
                ProjectionRows(name(names.linear_query), linear.key_size, *keys),
                ProjectionRows(name(names.linear_key), linear.key_size, *keys),
                ProjectionRows(name(names.linear_value), linear.value_size, *values),
                ProjectionRows(name(names.linear_gate), linear.value_size, *values),
                ProjectionRows(
                    name(names.linear_write), linear.value_heads, *value_heads
                ),
                ProjectionRows(
                    name(names.linear_decay), linear.value_heads, *value_heads
                ),
            ],
            biased=False,
        ),
        *(
            TensorSlices(
                convolution,
                linear.convolved_size,
                linear.kernel,
                begin + own.start,
                begin + own.end,
                group.zeros,
                group.zeros + linear.kernel,
            )
            for begin, own in channels
        ),
        *(
            group.vector(name(template), linear.value_heads, *value_heads)
            for template in (names.linear_rate, names.linear_bias)
        ),
        *group.copied_vector(
            heads.heads > 0, f"{name(names.linear_norm)}.weight", linear.value_dim
        ),
        *group.by_columns(
            name(names.linear_output), linear.value_size, values, biased=False
        ),
    ]
