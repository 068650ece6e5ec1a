"""Latent attention: scores and values from latents, in the cheaper of two forms.

The products of queries, weights and latents may be done in any order:

- *Absorbed*: queries are multiplied by the weights of the keys, attend to the latents
  themselves, and the latents that they mix are multiplied by the weights of the values.
- *Expanded*: keys and values of all positions are made of their latents first.

The first reads each latent once for all heads of a chip, which is less work for few
queries; the second multiplies shorter vectors, which is less for many.
"""

from functools import lru_cache
from typing import NamedTuple

from sharding.operators.operators import Compute, ShardedOperator
from sharding.partition.attention_cuts import LatentCuts
from sharding.partition.block_partition import BlockPartition
from sharding.partition.latent.absorbed import absorbed_scores, absorbed_values
from sharding.partition.latent.expanded import expanded_scores, expanded_values
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task, bytes_of
from specs.arrays import Ints
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


class LatentForms(NamedTuple):
    """Cycles of both forms of latent attention, each on the chip with the most work.

    Attributes
    ----------
    absorbed_cycles, expanded_cycles
        Cycles of the products of a layer.
    """

    absorbed_cycles: int
    expanded_cycles: int

    @property
    def is_absorbed(self) -> bool:
        """Return whether the absorbed form takes fewer cycles, or as many."""
        return self.absorbed_cycles <= self.expanded_cycles

    def __str__(self) -> str:
        """Return which form is computed, and the cycles of both, as words."""
        absorbed = f"{self.absorbed_cycles:,} cycles of products a layer"
        if self.is_absorbed:
            return f"of latents: {absorbed}; of expanded keys {self.expanded_cycles:,}"
        expanded = f"{self.expanded_cycles:,} cycles of products a layer"
        return f"of expanded keys: {expanded}; of latents {self.absorbed_cycles:,}"


def layer_forms(task: Task) -> LatentForms | None:
    """Return the forms of a sharded layer's latent attention, None without it."""
    if task.model.latent is None:
        return None
    return latent_forms(task, Block(BlockKind.ATTENTION, 0, 0, 1, 1))


def latent_forms(task: Task, block: Block) -> LatentForms:
    """Return the cycles of both forms of latent attention in a sharded block."""
    return _forms(task, task.like(block))


@lru_cache(maxsize=1024)
def _forms(task: Task, block: Block) -> LatentForms:
    """Return the forms of a block, once for all layers and tasks that are alike."""
    part = BlockPartition(task, block)
    scores, values = (
        part.find(each) for each in (GraphFunction.SCORES, GraphFunction.VALUES)
    )
    assert scores is not None
    assert values is not None

    def cycles(*products: Compute) -> int:
        return sum(int(each.cycles.max()) for each in products)

    return LatentForms(
        absorbed_cycles=cycles(
            *absorbed_scores(part, scores), *absorbed_values(part, values)
        ),
        expanded_cycles=cycles(
            *expanded_scores(part, scores), *expanded_values(part, values)
        ),
    )


def score_latents(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded products from queries and latents to scores."""
    if latent_forms(part.task, part.block).is_absorbed:
        return [*absorbed_scores(part, operator)]
    return [*expanded_scores(part, operator)]


def attend_latents(
    part: BlockPartition, operator: GraphOperator
) -> list[ShardedOperator]:
    """Return the sharded products from the weights of positions to values of heads."""
    if latent_forms(part.task, part.block).is_absorbed:
        return [*absorbed_values(part, operator)]
    return [*expanded_values(part, operator)]


def latent_bytes(task: Task, block: Block) -> Ints:
    """Return the bytes of what a sharded block of latent attention has beside scores.

    These are the queries of each chip's heads, and either what they have absorbed or
    the keys and values of all positions.
    """
    part = BlockPartition(task, block)
    cuts = LatentCuts(part)
    sizes, tokens = cuts.sizes, task.tokens
    if latent_forms(task, block).is_absorbed:
        made = sizes.cached_size * tokens
    else:
        made = sizes.expanded_dim * task.batch * task.cached_tokens(block)
    return bytes_of(
        task.activation_format,
        cuts.split.heads * (sizes.head_dim * tokens + made),
    )
