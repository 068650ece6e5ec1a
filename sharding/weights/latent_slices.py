"""Weight slices of latent attention over the chips of a tensor group.

- The projections onto the latents are split by rows, evenly over the chips that have
  heads: whole copies would take as much memory on each chip, and longer to multiply
  than the all-gather of the latents takes.
- The projections from the latents to heads are split by heads.
- The norms of the latents are on every chip that has heads, because each chip norms
  whole latents: the first holds the tensor, the others hold copies.
"""

from sharding.parallelism.ranges import (
    HeadSplit,
    TensorSlices,
    attending_rows,
    head_rows,
)
from sharding.parallelism.tensor_group import Range
from sharding.weights.group_slices import GroupSlices, ProjectionRows
from specs.latent_attention import LatentAttention


def latent_slices(
    group: GroupSlices, latent: LatentAttention, layer: int
) -> list[TensorSlices]:
    """Return the slices of a layer's norms and projections of latent attention.

    Parameters
    ----------
    group, latent, layer
        The model and its tensor group, the sizes of the latents, and the layer.
    """
    model, names = group.model, group.names
    heads = group.split.heads(model.attention_heads, layer)

    def name(template: str) -> str:
        return template.format(layer=layer)

    first = [_shared(name(names.latent_down), latent.cached_size, heads)]
    queries = model.attention_heads * latent.head_dim
    by_head = Range(*head_rows(heads, latent.head_dim))
    ups = []
    if latent.query_rank is None:
        first.insert(0, ProjectionRows(name(names.query), queries, *by_head))
    else:
        rank = latent.query_rank
        first.insert(0, _shared(name(names.query_down), rank, heads))
        ups = [
            _from_latent(group, name(names.query_up), queries, by_head, rank),
            *group.copied_vector(
                heads.heads > 0, f"{name(names.query_latent_norm)}.weight", rank
            ),
        ]
    expanded = model.attention_heads * latent.expanded_dim
    held = Range(*head_rows(heads, latent.expanded_dim))
    return [
        *group.norm(names.norm_before_attention(layer)),
        *group.by_rows(first, biased=False),
        *ups,
        *group.copied_vector(
            heads.heads > 0, f"{name(names.latent_norm)}.weight", latent.kv_rank
        ),
        _from_latent(group, name(names.key_value_up), expanded, held, latent.kv_rank),
        *group.by_columns(
            name(names.output),
            model.context_size,
            Range(*head_rows(heads, latent.value_dim)),
            biased=False,
        ),
    ]


def _shared(name: str, rows: int, heads: HeadSplit) -> ProjectionRows:
    """Return a projection whose rows all chips with heads share."""
    return ProjectionRows(name, rows, *attending_rows(heads, rows))


def _from_latent(
    group: GroupSlices, name: str, rows: int, held: Range, rank: int
) -> TensorSlices:
    """Return the slices of a projection from a latent to the heads of each chip."""
    return TensorSlices(
        f"{name}.weight",
        rows,
        rank,
        *held,
        group.zeros,
        group.zeros + rank,
        multiplied=True,
    )
